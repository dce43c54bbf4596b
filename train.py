"""Train a GAN on your photos: `python train.py PHOTOS`, a folder with a sub-folder for each class."""

import sys

from gan.runs.cli import main

if __name__ == "__main__":
    sys.exit(main())
