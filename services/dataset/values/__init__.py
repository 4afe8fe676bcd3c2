"""What single cells say: texts, numbers, lists, truth, times."""
