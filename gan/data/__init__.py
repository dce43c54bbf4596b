"""Photos in a folder, a zip archive or on the Hugging Face Hub → tensors; the doctor that examines them; augmentation."""
