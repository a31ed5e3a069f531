"""Teaching networks on the user's own images: labelled folders, groups, splits, fine-tuning."""
