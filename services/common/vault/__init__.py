"""Keys of users: what is sealed with them, where they are kept, how they are destroyed."""
