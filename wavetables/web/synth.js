"use strict";
// The sound of the page. This text runs twice: in the audio thread, to play, and in the window, to draw what is heard.
//
// No table is read at a speed it was not made for. Every voice makes its own cycle by an inverse Fourier transform of the
// harmonics below the band limit at its very pitch, at least 8 times oversampled, and reads it with a six-point Lagrange
// interpolator. What is left to alias are the images of the highest harmonics: 71 dB below these harmonics at worst,
// 107 dB where 16 times oversampled, as notes above D3 are.

const BAND_LIMIT = 20000; // Hz, and never above 0.45 of the sample rate
const OVERSAMPLING = 8;
const SHORTEST = 2048; // samples of a cycle: costs nothing, and high notes gain
const MARGIN = 2; // samples of the cycle repeated in front; one more behind
const QUANTUM = 128; // samples; what an AudioWorklet renders at once
const FADE = 4; // quanta from one cycle of a voice to its next
const VOICES = 10;
const VOICE_LEVEL = 0.25;
const CEILING = 0.98;

// ---------------------------------------------------------------------------------------------------------- spectra

/** The spectra of a packed entry: re and im, Float32Array [register][row][frame][harmonic]. */
function unpack(entry) {
  const frames = entry.tables[0].n;
  const harmonics = Math.max(...entry.tables.map((table) => table.h));
  const size = frames * harmonics;
  const re = new Float32Array(entry.tables.length * size);
  const im = new Float32Array(entry.tables.length * size);
  const cosine = Float64Array.from({ length: 256 }, (_, turn) => Math.cos((2 * Math.PI * turn) / 256));
  const level = Float64Array.from({ length: 256 }, (_, step) => (step ? 10 ** ((step - 255) / 40) : 0));
  entry.tables.forEach((table, index) => {
    const bytes = atob(table.data);
    const phases = table.n * table.h;
    for (let frame = 0; frame < table.n; frame++) {
      for (let k = 0; k < table.h; k++) {
        const from = frame * table.h + k;
        const to = index * size + frame * harmonics + k;
        const amplitude = table.peak * level[bytes.charCodeAt(from)];
        const turn = bytes.charCodeAt(phases + from);
        re[to] = amplitude * cosine[turn];
        im[to] = amplitude * cosine[(turn + 192) & 255];
      }
    }
  });
  return { re, im, frames, harmonics, rows: entry.rows, pitches: entry.pitches };
}

/** Index of the register whose pitch is nearest to a note. */
function registerOf(sound, note) {
  let best = 0;
  sound.pitches.forEach((pitch, index) => {
    if (Math.abs(pitch - note) < Math.abs(sound.pitches[best] - note)) best = index;
  });
  return best;
}

/** Write the first `count` harmonics at (x, y), both 0..1, into re and im: bilinear between the four stored frames
 * around the point, which is what a synth's crossfade between frames plays. */
function blend(sound, register, x, y, count, re, im) {
  const column = Math.min(Math.floor(x * (sound.frames - 1)), Math.max(sound.frames - 2, 0));
  const row = Math.min(Math.floor(y * (sound.rows - 1)), Math.max(sound.rows - 2, 0));
  const right = sound.frames > 1 ? x * (sound.frames - 1) - column : 0;
  const down = sound.rows > 1 ? y * (sound.rows - 1) - row : 0;
  re.fill(0, 0, count);
  im.fill(0, 0, count);
  for (const [dx, dy, weight] of [
    [0, 0, (1 - right) * (1 - down)],
    [1, 0, right * (1 - down)],
    [0, 1, (1 - right) * down],
    [1, 1, right * down],
  ]) {
    if (weight === 0) continue;
    const from = ((register * sound.rows + row + dy) * sound.frames + column + dx) * sound.harmonics;
    for (let k = 0; k < count; k++) {
      re[k] += weight * sound.re[from + k];
      im[k] += weight * sound.im[from + k];
    }
  }
}

const twiddles = new Map();

/** In-place inverse Fourier transform without the 1/n, length a power of two. */
function inverseTransform(re, im) {
  const size = re.length;
  if (!twiddles.has(size)) {
    const angle = (k) => (2 * Math.PI * k) / size;
    const half = { length: size / 2 };
    twiddles.set(size, [
      Float64Array.from(half, (_, k) => Math.cos(angle(k))),
      Float64Array.from(half, (_, k) => Math.sin(angle(k))),
    ]);
  }
  const [cosine, sine] = twiddles.get(size);
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let span = 1; span < size; span *= 2) {
    const stride = size / (2 * span);
    for (let start = 0; start < size; start += 2 * span) {
      for (let k = 0; k < span; k++) {
        const a = start + k;
        const b = a + span;
        const wr = cosine[k * stride];
        const wi = sine[k * stride];
        const tr = re[b] * wr - im[b] * wi;
        const ti = re[b] * wi + im[b] * wr;
        re[b] = re[a] - tr;
        im[b] = im[a] - ti;
        re[a] += tr;
        im[a] += ti;
      }
    }
  }
}

/** One cycle of `size` samples at (x, y) from the first `count` harmonics, with margins to interpolate over its ends. */
function cycleAt(sound, register, x, y, count, size) {
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  blend(sound, register, x, y, Math.min(count, sound.harmonics), re.subarray(1), im.subarray(1));
  inverseTransform(re, im); // of the positive frequencies only: the real part is the cycle
  const cycle = new Float32Array(size + 2 * MARGIN + 1);
  for (let i = 0; i < cycle.length; i++) cycle[i] = re[(i - MARGIN + size) % size];
  return cycle;
}

/** The cycle at a phase of 0..1. */
function read(cycle, phase) {
  const place = phase * (cycle.length - 2 * MARGIN - 1);
  const i = Math.floor(place);
  const c = place - i;
  const [a, b, d, e, f] = [c + 2, c + 1, c - 1, c - 2, c - 3];
  const ab = a * b;
  const ef = e * f;
  return (
    (c * d * ef * (5 * a * cycle[i + 1] - b * cycle[i])) / 120 +
    (ab * ef * (c * cycle[i + 3] - d * cycle[i + 2])) / 12 +
    (ab * c * d * (e * cycle[i + 5] - 5 * f * cycle[i + 4])) / 120
  );
}

// ------------------------------------------------------------------------------------------------------------ voices

class Voice {
  constructor(note, velocity, turn) {
    this.note = note;
    this.gate = velocity * VOICE_LEVEL; // what the level moves to
    this.level = 0;
    this.phase = 0;
    this.turn = turn; // the quantum of every FADE in which it may make a cycle: voices take turns
    this.cycle = this.next = null;
    this.made = ""; // what the newest cycle was made for
    this.faded = 0;
  }

  /** Make a cycle for how things stand now, unless it has it; the first at once, others are faded to. */
  refresh(synth, frequency) {
    this.cycle = this.next ?? this.cycle;
    this.next = null;
    const limit = Math.min(BAND_LIMIT, 0.45 * synth.rate);
    const count = Math.min(Math.floor(limit / frequency), synth.sound.harmonics);
    const wanted = `${synth.loaded} ${synth.x} ${synth.y} ${count}`;
    if (wanted === this.made) return;
    const size = Math.max(SHORTEST, 2 ** Math.ceil(Math.log2(OVERSAMPLING * count)));
    const register = registerOf(synth.sound, this.note);
    this.next = cycleAt(synth.sound, register, synth.x, synth.y, count, size);
    this.made = wanted;
    this.faded = 0;
    if (!this.cycle) this.refresh(synth, frequency);
  }

  add(out, step, attack, release) {
    const ease = this.gate > 0 ? attack : release;
    for (let i = 0; i < out.length; i++) {
      this.level += (this.gate - this.level) * ease;
      let value = read(this.cycle, this.phase);
      if (this.next) {
        const share = Math.min(++this.faded / (FADE * QUANTUM), 1);
        value += share * (read(this.next, this.phase) - value);
      }
      out[i] += this.level * value;
      this.phase += step;
      if (this.phase >= 1) this.phase -= 1;
    }
  }
}

/** A polyphonic player of one sound. Its methods are the messages the window sends. */
class Synth {
  constructor(rate) {
    this.rate = rate;
    this.sound = null;
    this.loaded = 0;
    this.voices = [];
    this.x = this.y = this.toX = this.toY = 0;
    this.bend = 1;
    this.clock = this.turns = 0;
    this.gain = 1;
  }

  load(sound) {
    this.sound = sound;
    this.loaded += 1;
  }

  noteOn(note, velocity) {
    this.noteOff(note);
    const held = this.voices.filter((voice) => voice.gate > 0);
    if (held.length >= VOICES) held[0].gate = 0;
    if (this.voices.length >= 2 * VOICES) this.voices.shift();
    this.voices.push(new Voice(note, velocity, this.turns++ % FADE));
  }

  noteOff(note) {
    for (const voice of this.voices) if (voice.note === note) voice.gate = 0;
  }

  move(x, y) {
    [this.toX, this.toY] = [x, y];
  }

  /** Bend all notes by semitones. */
  pitch(semitones) {
    this.bend = 2 ** (semitones / 12);
  }

  /** Fill `out`, a whole number of quanta, with what is heard. */
  render(out) {
    for (let start = 0; start < out.length; start += QUANTUM) this.quantum(out.subarray(start, start + QUANTUM));
  }

  quantum(out) {
    out.fill(0);
    if (!this.sound) return;
    if (++this.clock % FADE === 0) {
      // halfway each time, some 10 ms: steps of a pointer or a MIDI controller become a glide
      this.x = Math.abs(this.toX - this.x) < 1e-4 ? this.toX : (this.x + this.toX) / 2;
      this.y = Math.abs(this.toY - this.y) < 1e-4 ? this.toY : (this.y + this.toY) / 2;
    }
    if (!this.voices.length) [this.x, this.y] = [this.toX, this.toY];
    const attack = 1 - Math.exp(-1 / (0.003 * this.rate));
    const release = 1 - Math.exp(-1 / (0.06 * this.rate));
    for (const voice of this.voices) {
      const frequency = 440 * 2 ** ((voice.note - 69) / 12) * this.bend;
      if (!voice.cycle || this.clock % FADE === voice.turn) voice.refresh(this, frequency);
      voice.add(out, frequency / this.rate, attack, release);
    }
    this.voices = this.voices.filter((voice) => voice.gate > 0 || voice.level > 1e-5);
    this.limit(out);
  }

  /** Chords that would clip are turned down over a quantum, and come back within a quarter of a second. */
  limit(out) {
    const peak = out.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const target = Math.min(CEILING / Math.max(peak, CEILING), this.gain + 0.01);
    const slope = (target - this.gain) / out.length;
    for (let i = 0; i < out.length; i++) {
      this.gain += slope;
      out[i] = Math.max(-1, Math.min(1, out[i] * this.gain));
    }
  }
}

if (typeof registerProcessor === "function") {
  registerProcessor(
    "wavetable",
    class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.synth = new Synth(sampleRate);
        this.port.onmessage = ({ data: [verb, ...values] }) => this.synth[verb](...values);
      }

      process(_, [[out]]) {
        this.synth.render(out);
        return true;
      }
    },
  );
}
