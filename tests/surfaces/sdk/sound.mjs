// Measures the pure parts of the SDK's sound. node sound.mjs <folder of the SDK's modules>; one JSON object on stdout.
const folder = process.argv[2];
const { Resampler } = await import(`${folder}/resampler.js`);
const { JitterBuffer } = await import(`${folder}/jitter.js`);

function tone(hz, rate, samples) {
  return Float32Array.from({ length: samples }, (_, at) => 0.5 * Math.sin((2 * Math.PI * hz * at) / rate));
}

// Blocks of 128 samples, as the audio thread has them.
function resample(hz, from, to) {
  const resampler = new Resampler(from, to);
  const input = tone(hz, from, from);
  const output = [];
  for (let at = 0; at < input.length; at += 128) output.push(...resampler.process(input.subarray(at, at + 128)));
  return output;
}

// Level at a frequency, and of all the rest, in dB below the input's; the second half, away from the beginning.
function measured(samples, hz, rate) {
  const part = samples.slice(Math.floor(samples.length / 4), Math.floor((samples.length * 3) / 4));
  let sine = 0, cosine = 0;
  part.forEach((sample, at) => {
    sine += (2 / part.length) * sample * Math.sin((2 * Math.PI * hz * at) / rate);
    cosine += (2 / part.length) * sample * Math.cos((2 * Math.PI * hz * at) / rate);
  });
  const rest = part.map((sample, at) =>
    sample - sine * Math.sin((2 * Math.PI * hz * at) / rate) - cosine * Math.cos((2 * Math.PI * hz * at) / rate));
  const db = (value) => 20 * Math.log10(Math.max(value, 1e-9) / 0.5);
  const power = (values) => Math.sqrt((2 * values.reduce((sum, value) => sum + value * value, 0)) / values.length);
  return { tone_db: db(Math.hypot(sine, cosine)), rest_db: db(power(rest)), all_db: db(power(part)), samples: samples.length };
}

const rates = {};
for (const [from, to] of [[48000, 16000], [44100, 16000], [16000, 48000], [16000, 44100], [16000, 16000]]) {
  rates[`${from}-${to}`] = measured(resample(1000, from, to), 1000, to);
}
const folded = measured(resample(10000, 48000, 16000), 6000, 16000);

// A buffer at 1000 samples a second: a sample is a millisecond. 20 ms at a time, numbered, so that what is missing is seen.
const play = (buffer, ms) => {
  const output = new Float32Array(ms);
  for (let at = 0; at < ms; at += 4) buffer.pull(output.subarray(at, at + 4));
  return [...output];
};
const numbered = (from, count) => Float32Array.from({ length: count }, (_, at) => from + at);

const smooth = new JitterBuffer(1000);
smooth.push(numbered(1, 40));
const waits = play(smooth, 20);
smooth.push(numbered(41, 40));
const plays = play(smooth, 80);

const short = new JitterBuffer(1000);
short.push(numbered(1, 20));
const alone = play(short, 100);

const bumpy = new JitterBuffer(1000);
bumpy.push(numbered(1, 100));
play(bumpy, 160);
bumpy.push(numbered(101, 60));
const before = bumpy.target;

const cut = new JitterBuffer(1000);
cut.push(Float32Array.from({ length: 500 }, () => 1));
play(cut, 20);
cut.flush();
const afterwards = play(cut, 40);

const full = new JitterBuffer(1000);
for (let at = 0; at < 400; at++) full.push(numbered(at * 20, 20));

console.log(JSON.stringify({
  rates, folded,
  jitter: { waits, plays, alone, target: before, hiccups: bumpy.hiccups, afterwards, held: full.held, dropped: full.dropped },
}));
