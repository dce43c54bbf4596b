// Seeds → noise, the numbers of gan/networks/latents.py: PyTorch's generator of random numbers and an inverse normal distribution.

// Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), as torch.Generator().manual_seed(seed) begins it: 32 bits a call.
function twister(seed) {
  const size = 624, state = new Uint32Array(size);
  state[0] = seed;
  for (let i = 1; i < size; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = size;
  const turn = () => {
    for (let i = 0; i < size; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % size] & 0x7fffffff);
      state[i] = state[(i + 397) % size] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    at = 0;
  };
  return () => {
    if (at === size) turn();
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

// `count` numbers from the open interval (0, 1), as torch.rand(count, dtype=torch.float64): the low 53 bits of each 64.
export function uniform(seed, count) {
  const next = twister(seed >>> 0);
  return Float64Array.from({ length: count }, () => {
    const high = next() & 0x1fffff, low = next();
    return Math.min(1 - 1e-12, Math.max(1e-12, (high * 4294967296 + low) / 9007199254740992));
  });
}

// Polynomials of the inverse normal distribution: Cephes (Moshier 1989), the ones that torch.special.ndtri has.
const P0 = [-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1, -1.23916583867381258016];
const Q0 = [
  1, 1.95448858338141759834, 4.67627912898881538453, 8.63602421390890590575e1, -2.25462687854119370527e2, 2.00260212380060660359e2,
  -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142,
];
const P1 = [
  4.05544892305962419923, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.408050738932008347e1, 1.46849561928858024014e1,
  2.18663306850790267539, -1.40256079171354495875e-1, -3.50424626827848203418e-2, -8.57456785154685413611e-4,
];
const Q1 = [
  1, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.1317203825467203044e1, 1.50425385692907503408e1, 2.50464946208309415979,
  -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4,
];
const P2 = [
  3.2377489177694603597, 6.91522889068984211695, 3.93881025292474443415, 1.33303460815807542389, 2.01485389549179081538e-1,
  1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6, 6.2397453918498329373e-9,
];
const Q2 = [
  1, 6.02427039364742014255, 3.67983563856160859403, 1.37702099489081330271, 2.1623699359449663589e-1, 1.34204006088543189037e-2,
  3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9,
];
const at = (x, polynomial) => polynomial.reduce((sum, factor) => sum * x + factor, 0);

// The number below which a share y ∈ (0, 1) of a normal distribution lies.
export function ndtri(share) {
  const lower = share <= 1 - Math.exp(-2), y = lower ? share : 1 - share;
  if (y > Math.exp(-2)) {
    const x = y - 0.5, square = x * x;
    return (x + x * ((square * at(square, P0)) / at(square, Q0))) * Math.sqrt(2 * Math.PI) * (lower ? 1 : -1);
  }
  const x = Math.sqrt(-2 * Math.log(y)), z = 1 / x;
  const far = x < 8 ? (z * at(z, P1)) / at(z, Q1) : (z * at(z, P2)) / at(z, Q2);
  const found = x - Math.log(x) / x - far;
  return lower ? -found : found;
}

// The error function of x from 0 to a few units: a series without cancellation (Abramowitz and Stegun 7.1.6).
function erf(x) {
  let term = x, sum = x;
  for (let n = 1; term > 1e-17 * sum; n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

// The standard deviation of noise cut at ±truncation; 1 for null.
export function spread(truncation) {
  if (truncation === null) return 1;
  const density = Math.exp(-(truncation ** 2) / 2) / Math.sqrt(2 * Math.PI), tail = erf(truncation / Math.SQRT2);
  return Math.sqrt(1 - (2 * truncation * density) / tail);
}

// The noise of a seed, `count` numbers in float32: the whole normal distribution for null, else the part within ±truncation.
export function noise(seed, count, truncation) {
  const shares = uniform(seed, count);
  if (truncation === null) return Float32Array.from(shares, ndtri);
  const low = (1 - erf(truncation / Math.SQRT2)) / 2;
  return Float32Array.from(shares, (share) => Math.min(truncation, Math.max(-truncation, ndtri(low + share * (1 - 2 * low)))));
}
