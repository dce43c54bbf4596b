"""Measure what gan/data/doctor.py takes for near-duplicates and blur, on a folder of sound photos that are all different.

    python tests/bench/doctor.py PHOTOS

Prints how near the closest different photos come, how far copies go, and the sharpness of the photos and of blurred copies.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gan.data import doctor
from gan.data.decode import shorter_side
from gan.data.image_folder import OVERSAMPLE, load_photos

SIDE = 128


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def cropped(image: Image.Image, share: float) -> Image.Image:
    edge = round(share * image.width)
    return image.crop((edge, edge, image.width - edge, image.height - edge))


COPIES = {
    "JPEG, quality 20": lambda image: jpeg(image, 20),
    "a quarter of the side, JPEG, quality 80": lambda image: jpeg(image.resize((64, 64), Image.Resampling.LANCZOS), 80),
    "brightened by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "contrast by 30 %": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "cropped by 2 %": lambda image: cropped(image, 0.02),
    "cropped by 5 %": lambda image: cropped(image, 0.05),
}


def changed(images: torch.Tensor, change) -> torch.Tensor:
    """uint8 N×3×S×S, each picture after `change`."""
    pictures = (Image.fromarray(picture) for picture in images.permute(0, 2, 3, 1).numpy())
    done = (change(picture).convert("RGB").resize(images.shape[2:], Image.Resampling.LANCZOS) for picture in pictures)
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in done])).permute(0, 3, 1, 2)


def hashes(folder: str) -> None:
    images = load_photos(folder, OVERSAMPLE * SIDE).images
    marks = doctor.measure(images)
    signs, turned = (part.float() * 2 - 1 for part in (marks.hashes, marks.mirrored))
    for name, others in (("as they are", signs), ("mirrored", turned)):
        bits = (signs.shape[1] - signs @ others.T) / 2
        print(f"closest of {len(images)} different photos, {name}: {bits.fill_diagonal_(512).min():.0f} of 512 bits")
    for name, change in COPIES.items():
        copies = doctor.measure(changed(images, change), SIDE)
        bits = (marks.hashes != copies.hashes).sum(1).float()
        color = (marks.colors - copies.colors).abs().mean(1).max()
        print(f"{name}: {bits.median():.0f} bits in the middle, {bits.max():.0f} at most; colors by {color:.0f} at most")


def blur(folder: str) -> None:
    for side in (64, 128, 256):
        photos = load_photos(folder, OVERSAMPLE * side)
        large = torch.tensor([shorter_side(path) >= side for path in photos.files])
        images = photos.images[large]
        sharp = doctor.measure(images, side).sharpness
        spread = f"{sharp.min():.2f} to {sharp.max():.2f}, in the middle {sharp.median():.2f}"
        print(f"{side} pixels: sharpness of {len(images)} photos {spread}")
        for sigma in (1, 1.5, 2):
            blurred = changed(images, lambda picture: picture.filter(ImageFilter.GaussianBlur(sigma * OVERSAMPLE)))
            soft = doctor.measure(blurred, side).sharpness
            middle, most, called = soft.median(), soft.quantile(0.95), (soft < doctor.MIN_SHARPNESS).float().mean()
            print(f"  σ {sigma}: {middle:.2f} in the middle, 95 % below {most:.2f}, {called:.0%} called blurred")


if __name__ == "__main__":
    torch.set_num_threads(1)
    hashes(sys.argv[1])
    blur(sys.argv[1])
