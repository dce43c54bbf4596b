"""A loaded model → flowers: the sampler, files, interpolation, directions, inversion."""
