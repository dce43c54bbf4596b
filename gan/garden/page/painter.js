// Flowers → latents → pixels, with the sessions of the two graphs: what Sampler and Generator.latents do in Python.
import { readShift, resolved } from "./flower.js";
import { noise, spread } from "./noise.js";
import { PATHS, positions, straight } from "./paths.js";
import { Trouble } from "./runtime.js";

export class Painter {
  constructor(facts, { sessions, Tensor }) {
    Object.assign(this, { facts, sessions, Tensor });
  }

  // What comes from the seed and what from the class: { seed, class }, one row each, or one for every scale of a crossed flower.
  async latents(one) {
    const { classes, width, scales } = this.facts;
    const { seed, ...of } = await this.#own(resolved(one, classes.length));
    const shift = readShift(one.shift, width);
    if (!shift) throw new Trouble("garden_other_model");
    const moved = { ...of, seed: seed.map((row) => row.map((value, i) => value + shift[i])) };
    if (!one.fine) return moved;
    const fine = await this.#own({ ...one, label: one.fine.label, seed: one.fine.seed });
    const crossed = (coarse, other) => Array.from({ length: scales }, (_, i) => (i < one.fine.scales ? coarse[0] : other[0]));
    return { seed: crossed(moved.seed, fine.seed), class: crossed(moved.class, fine.class) };
  }

  async #own({ label, seed, truncation }) {
    const { code: codes, noise: length, styled } = this.facts;
    const code = new Float32Array(codes);
    if (codes && Array.isArray(label)) code.set(label);
    else if (codes) code[label] = 1;
    if (!styled) return { seed: [noise(seed, length, truncation)], class: [code] };
    const feeds = { noise: this.#tensor(noise(seed, length, null), 1, length) };
    if (codes) feeds.classes = this.#tensor(code, 1, codes);
    const { offset, mean } = await this.sessions.styles.run(feeds), factor = spread(truncation);
    return { seed: [offset.data.map((value) => value * factor)], class: [Float32Array.from(mean.data)] };
  }

  #tensor = (values, ...shape) => new this.Tensor("float32", values, shape);

  // The latents of the pictures of a path from one flower to another.
  async path(start, end, steps, way, loop) {
    const [a, b] = [await this.latents(start), await this.latents(end)];
    const rows = Math.max(a.seed.length, b.seed.length), row = (part, i) => part[Math.min(i, part.length - 1)];
    const each = (along, name, t) => Array.from({ length: rows }, (_, i) => along(row(a[name], i), row(b[name], i), t));
    return positions(steps, loop).map((t) => ({ seed: each(PATHS[way], "seed", t), class: each(straight, "class", t) }));
  }

  // The picture of latents: three bytes a pixel.
  async pixels({ seed, class: of }) {
    const { styled, scales, width, code, noise: length, size } = this.facts;
    let feeds;
    if (styled) {
      const styles = new Float32Array(scales * width);
      for (let i = 0; i < scales; i++) {
        const [a, b] = [seed, of].map((part) => part[Math.min(i, part.length - 1)]);
        for (let k = 0; k < width; k++) styles[i * width + k] = a[k] + b[k];
      }
      feeds = { styles: this.#tensor(styles, 1, scales, width) };
    } else {
      feeds = { noise: this.#tensor(seed[0], 1, length), ...(code ? { classes: this.#tensor(of[0], 1, code) } : {}) };
    }
    const { picture } = await this.sessions.painting.run(feeds);
    const values = await picture.getData(), area = size * size, bytes = new Uint8ClampedArray(area * 3);
    for (let i = 0; i < area; i++) {
      for (let channel = 0; channel < 3; channel++) bytes[i * 3 + channel] = Math.round((values[channel * area + i] + 1) * 127.5);
    }
    picture.dispose();
    return bytes;
  }

  // Raise Trouble unless a flower comes out as it did where the page was made: a broken driver, or a file of another model.
  async check() {
    const { label, seed, truncation, pixels } = this.facts.probe;
    const drawn = await this.pixels(await this.latents({ label, seed, truncation, shift: "", fine: null }));
    const step = Math.floor(drawn.length / pixels.length);
    if (pixels.some((value, i) => Math.abs(drawn[i * step] - value) > 4)) throw new Trouble("garden_draws_wrong");
  }
}
