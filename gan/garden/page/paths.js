// Paths between two points of the latent space (gan/sampling/interpolation.py).

// The positions of the pictures of a path, 0 to 1; a loop goes there and back, without its last picture.
export function positions(steps, loop) {
  if (!loop) return Array.from({ length: steps }, (_, i) => i / (steps - 1));
  const there = Math.floor(steps / 2), back = steps - there;
  return [
    ...Array.from({ length: there + 1 }, (_, i) => i / there),
    ...Array.from({ length: back - 1 }, (_, i) => (back - 1 - i) / back),
  ];
}

export const straight = (start, end, t) => Float32Array.from(start, (one, i) => (t < 1 ? one + (end[i] - one) * t : end[i]));

const dot = (a, b) => a.reduce((sum, one, i) => sum + one * b[i], 0);

// Spherical interpolation of two vectors; the norm goes linearly. Straight where there is no arc.
export function spherical(start, end, t) {
  if (t <= 0 || t >= 1) return Float32Array.from(t >= 1 ? end : start);
  const [a, b] = [Array.from(start), Array.from(end)];
  const long = Math.sqrt(dot(a, a)), other = Math.sqrt(dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(a, b) / (long * other))));
  if (!long || !other || Math.sin(angle) < 1e-6) return straight(start, end, t);
  const [of_a, of_b] = [Math.sin((1 - t) * angle) / long, Math.sin(t * angle) / other];
  const factor = ((1 - t) * long + t * other) / Math.sin(angle);
  return Float32Array.from(a, (one, i) => (one * of_a + b[i] * of_b) * factor);
}

export const PATHS = { spherical, straight };
