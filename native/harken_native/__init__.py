"""The compiled core of Harken. Every loop has a twin in NumPy that tests compare it with."""
