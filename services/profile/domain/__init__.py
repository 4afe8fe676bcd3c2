"""What profile knows about users, without I/O, protobuf and clock."""
