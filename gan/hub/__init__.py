"""A model as a folder and on the Hugging Face Hub: load, save, publish, export, the files of the paper's authors."""
