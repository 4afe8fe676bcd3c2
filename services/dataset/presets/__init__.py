"""Named formats (`--format`): what people have, one small file each."""
