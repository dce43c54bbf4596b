"""Building blocks of generators and critics: layers, style generator, projected critic, frozen backbones, latents."""
