"use strict";
// The page: what is picked, where on the pad, which notes are held. The sound itself is in synth.js.

const $ = (id) => document.getElementById(id);
const pack = JSON.parse($("pack").textContent);

const KEYS = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ"]; // one octave,
KEYS.push("KeyK", "KeyO", "KeyL", "KeyP", "Semicolon"); // and on to the next E
const letters = new Map(KEYS.map((code) => [code, code === "Semicolon" ? ";" : code.slice(3)]));
const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const noteName = (note) => NOTES[note % 12] + (Math.floor(note / 12) - 1);
const isBlack = (note) => [1, 3, 6, 8, 10].includes(note % 12);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// it opens in the middle: a recording begins in its attack, and a blend is what the page is for
const state = { index: -1, entry: null, sound: null, x: 0.5, y: 0.5, octave: 48, note: 48 };
const held = new Map(); // who holds a note (a key, a finger, a MIDI key, the hold button) → the note

// ------------------------------------------------------------------------------------------------------------- sound

let starting = null; // the promise of a function that sends a message to the synth
let output = null;

/** Start the sound, once a gesture allows it. */
function start() {
  starting ??= (async () => {
    const context = new AudioContext({ latencyHint: "interactive" });
    context.resume().catch(() => {});
    output = context.createGain();
    output.connect(context.destination);
    setVolume();
    const send = await worklet(context).catch(() => scriptProcessor(context));
    send("load", state.sound);
    send("move", state.x, state.y);
    document.addEventListener("visibilitychange", () => document.hidden || context.resume());
    return send;
  })();
  return starting;
}

/** Run the synth in the audio thread. In a page from a file some browsers load only data: there, others only blob:. */
async function worklet(context) {
  const code = $("synth").textContent;
  const blob = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const load = (url) => context.audioWorklet.addModule(url);
  await load(`data:text/javascript;charset=utf-8,${encodeURIComponent(code)}`).catch(() => load(blob));
  const node = new AudioWorkletNode(context, "wavetable", { numberOfInputs: 0, outputChannelCount: [1] });
  node.connect(output);
  return (...message) => node.port.postMessage(message);
}

/** Where the browser has no AudioWorklet for a file: the same synth, in this thread. */
function scriptProcessor(context) {
  const synth = new Synth(context.sampleRate);
  const node = context.createScriptProcessor(1024, 0, 1);
  node.onaudioprocess = (event) => synth.render(event.outputBuffer.getChannelData(0));
  node.connect(output);
  return (verb, ...values) => synth[verb](...values);
}

/** Send the synth a message, in order; before the sound was started there is nobody to tell. */
function tell(...message) {
  starting?.then((send) => send(...message)).catch((error) => say(`No sound: ${error.message}`));
}

function setVolume() {
  if (output) output.gain.setTargetAtTime(($("volume").value / 80) ** 2, output.context.currentTime, 0.01);
}

function say(text) {
  $("status").textContent = text;
}

// ------------------------------------------------------------------------------------------------------------- notes

const sounding = (note) => [...held.values()].includes(note);
const holding = () => $("hold").getAttribute("aria-pressed") === "true";

function press(who, note, velocity = 0.8) {
  if (note < 0 || note > 127) return;
  start();
  const wasHeld = held.get(`hold ${note}`) === note;
  held.delete(`hold ${note}`);
  held.set(who, note);
  state.note = note;
  tell("noteOn", note, velocity);
  if (holding() && !wasHeld) held.set(`hold ${note}`, note); // a held note pressed again ends
  showNotes();
  show();
}

function release(who) {
  if (!held.has(who)) return;
  const note = held.get(who);
  held.delete(who);
  if (!sounding(note)) tell("noteOff", note);
  showNotes();
}

function releaseAll(kind = "") {
  for (const who of [...held.keys()]) if (who.startsWith(kind)) release(who);
}

function showNotes() {
  for (const key of $("piano").children) key.classList.toggle("on", sounding(Number(key.dataset.note)));
}

// ------------------------------------------------------------------------------------------------------------- table

function choose(index) {
  const entry = pack.entries[index];
  const first = state.entry === null;
  state.index = index;
  state.entry = entry;
  state.sound = unpack(entry);
  tell("load", state.sound);
  $("name").textContent = entry.name;
  const frames = `${entry.frames} frame${entry.frames === 1 ? "" : "s"}`;
  const registers = entry.pitches.map((pitch) => noteName(Math.round(pitch)));
  const facts = [
    entry.text,
    entry.tags.join(", "),
    entry.rows > 1 ? `grid of ${entry.rows} rows, ${frames} each` : frames,
    registers.length > 1 ? `${registers.length} registers, ${registers[0]} to ${registers.at(-1)}` : "",
  ];
  $("meta").textContent = facts.filter(Boolean).join(" · ");
  $("links").replaceChildren(
    ...entry.links.map(([label, path]) => Object.assign(document.createElement("a"), { href: path, textContent: label })),
  );
  for (const item of $("list").querySelectorAll("button")) {
    const current = Number(item.dataset.index) === index;
    item.setAttribute("aria-current", current);
    item.tabIndex = current ? 0 : -1;
    if (current && !first) item.scrollIntoView({ block: "nearest" });
  }
  $("pad").querySelectorAll(".corner").forEach((corner) => corner.remove());
  entry.corners.forEach((text, at) => {
    const corner = Object.assign(document.createElement("span"), { className: "corner" });
    corner.append(Object.assign(document.createElement("span"), { textContent: text }), document.createElement("output"));
    corner.dataset.at = at;
    $("pad").append(corner);
  });
  $("pad").setAttribute("aria-label", entry.rows > 1 ? "Blend of the corners" : "Wavetable position");
  if (entry.rows > 1) $("pad").setAttribute("aria-roledescription", "XY pad");
  else $("pad").removeAttribute("aria-roledescription");
  picture = null;
  move(state.x, state.y);
}

function step(by) {
  const shown = [...$("list").querySelectorAll("button")].filter((item) => !item.hidden);
  const at = shown.findIndex((item) => Number(item.dataset.index) === state.index);
  const next = shown[(at + by + shown.length) % shown.length];
  if (next) choose(Number(next.dataset.index));
  return next;
}

/** Move to a point of the pad, 0..1 from left to right and from top to bottom. */
function move(x, y) {
  const { entry } = state;
  state.x = clamp(x, 0, 1);
  state.y = entry.rows > 1 ? clamp(y, 0, 1) : 0;
  tell("move", state.x, state.y);
  const shares = sharesAt(state.x, state.y).map((share) => `${Math.round(100 * share)} %`);
  const told = entry.corners.map((name, at) => `${name} ${shares[at]}`);
  const frame = `frame ${Math.round(1 + state.x * (entry.frames - 1))} of ${entry.frames}`;
  if (!told.length) told.push(entry.rows > 1 ? `x ${Math.round(100 * state.x)} %, y ${Math.round(100 * state.y)} %` : frame);
  $("pad").querySelectorAll("output").forEach((output, at) => (output.textContent = shares[at]));
  $("pad").setAttribute("aria-valuenow", Math.round(100 * state.x));
  $("pad").setAttribute("aria-valuetext", told.join(", "));
  $("place").textContent = entry.rows > 1 ? "" : frame;
  show();
}

/** How much of each corner is in a point: top left, top right, bottom left, bottom right. */
function sharesAt(x, y) {
  return [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
}

// ---------------------------------------------------------------------------------------------------------- pictures

let picture = null; // cycles of the field behind the pad's handle, made once a table
let corners = [];
let ink = {};
let asked = 0;

/** Draw again, at most once a frame of the screen. */
function show() {
  asked ||= requestAnimationFrame(() => {
    asked = 0;
    draw();
  });
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  corners = [0, 1, 2, 3].map((at) => style.getPropertyValue(`--corner-${at}`).trim().slice(1).match(/../g).map((two) => parseInt(two, 16)));
  ink = Object.fromEntries(["ink", "quiet", "line", "raised"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The colour of a place: the corners' colours, blended as the sounds are. */
function colour(x, y, opacity = 1) {
  const shares = sharesAt(x, y);
  const parts = [0, 1, 2].map((part) => shares.reduce((sum, share, at) => sum + share * corners[at][part], 0));
  const grey = (parts[0] + parts[1] + parts[2]) / 3;
  const vivid = parts.map((part) => clamp(Math.round(grey + 1.25 * (part - grey)), 0, 255)); // blending greyed it
  return `rgb(${vivid.join(" ")} / ${opacity})`;
}

/** A canvas cleared, at the resolution of the screen: its context, width and height in CSS pixels. */
function sheet(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.lineJoin = context.lineCap = "round";
  return [context, width, height];
}

/** Where the pad's handle may go: left and width, top and height within the pad, in CSS pixels. */
function reach(width, height) {
  const [side, top] = [clamp(width * 0.1, 30, 64), clamp(height * 0.14, 44, 64)];
  return [side, width - 2 * side, top, height - 2 * top];
}

/** The cycle at (x, y) as 129 heights, both ends of it included, drawn from 64 harmonics at most. */
function outline(x, y) {
  const register = registerOf(state.sound, state.note);
  return cycleAt(state.sound, register, x, y, 64, 128).subarray(MARGIN, MARGIN + 129);
}

function trace(context, wave, left, middle, width, height) {
  context.beginPath();
  wave.forEach((value, i) => context.lineTo(left + (i * width) / 128, middle - value * height));
}

function draw() {
  const { entry, x, y } = state;
  document.documentElement.style.setProperty("--now", colour(x, y));
  const register = registerOf(state.sound, state.note);
  if (picture?.register !== register) {
    const grid = entry.rows > 1;
    const columns = grid ? ($("pad").clientWidth < 440 ? 5 : 7) : Math.min(state.sound.frames, 40);
    const rows = grid ? clamp(entry.rows, 5, 7) : 1;
    const place = (i, count) => (count > 1 ? i / (count - 1) : 0);
    const points = Array.from({ length: rows * columns }, (_, i) => [place(i % columns, columns), place(Math.floor(i / columns), rows)]);
    const waves = points.map(([a, b]) => outline(a, b));
    const peak = Math.max(1e-6, ...waves.map((wave) => wave.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
    picture = { register, grid, columns, rows, points, waves, peak };
  }
  (picture.grid ? drawLattice : drawTerrain)(...sheet($("field")));
  drawCycle(...sheet($("cycle")));
  drawHarmonics(...sheet($("harmonics")));
}

/** A grid: a cycle at every point of a lattice, in the colours of the corners, brighter near the handle. */
function drawLattice(context, width, height) {
  const { columns, rows, points, waves, peak } = picture;
  const [left, across, top, along] = reach(width, height);
  const [wide, tall] = [Math.min((across / columns) * 0.66, 76), Math.min((along / rows) * 0.4, 34)];
  points.forEach(([x, y], i) => {
    const near = Math.exp(-(((x - state.x) * columns) ** 2 + ((y - state.y) * rows) ** 2) / 3);
    context.strokeStyle = colour(x, y, 0.55 + 0.45 * near);
    context.lineWidth = 1.3 + near;
    trace(context, waves[i], left + x * across - wide / 2, top + y * along, wide, tall / peak);
    context.stroke();
  });
  context.beginPath();
  context.arc(left + state.x * across, top + state.y * along, 20, 0, 2 * Math.PI);
  context.fillStyle = colour(state.x, state.y, 0.25);
  context.fill();
  context.lineWidth = 3;
  context.strokeStyle = colour(state.x, state.y);
  context.stroke();
}

/** A table: its frames one behind another, the one that is heard in colour, and under them where it lies. */
function drawTerrain(context, width, height) {
  const { waves, points, peak } = picture;
  const [edge, across] = reach(width, height);
  const rail = height - 28;
  const room = rail - 18 - 40; // between the corners' names and the rail
  const depth = [across * 0.28, room * 0.5];
  const span = across - depth[0];
  const tall = (room - depth[1]) / 2 / peak;
  const baseline = (x) => [edge + x * depth[0], rail - 18 - tall * peak - x * depth[1]];
  const line = (wave, x, stroke, weight) => {
    const [left, middle] = baseline(x);
    trace(context, wave, left, middle, span, tall);
    context.strokeStyle = stroke;
    context.lineWidth = weight;
    context.stroke();
  };
  for (let i = waves.length - 1; i >= 0; i--) {
    const [x] = points[i];
    const [left, middle] = baseline(x);
    trace(context, waves[i], left, middle, span, tall); // hides what is behind it
    context.lineTo(left + span, middle + tall * peak);
    context.lineTo(left, middle + tall * peak);
    context.fillStyle = ink.raised;
    context.globalAlpha = 0.8;
    context.fill();
    context.globalAlpha = 1;
    line(waves[i], x, colour(x, 0, 0.5), 1.1);
  }
  line(outline(state.x, 0), state.x, colour(state.x, 0), 3);
  context.lineWidth = 3;
  context.strokeStyle = ink.line;
  context.beginPath();
  context.moveTo(edge, rail);
  context.lineTo(edge + across, rail);
  context.stroke();
  context.beginPath();
  context.arc(edge + state.x * across, rail, 9, 0, 2 * Math.PI);
  context.fillStyle = colour(state.x, 0);
  context.fill();
}

function drawCycle(context, width, height) {
  const top = height > 110 ? 34 : 22;
  const middle = (top + height - 8) / 2;
  context.strokeStyle = ink.line;
  context.beginPath();
  context.moveTo(0, middle);
  context.lineTo(width, middle);
  context.stroke();
  trace(context, outline(state.x, state.y), 12, middle, width - 24, (height - 8 - top) / 2 / picture.peak);
  context.strokeStyle = colour(state.x, state.y);
  context.lineWidth = 2;
  context.stroke();
}

/** Levels of the harmonics below 20 kHz of the last note, an octave as wide as every other. */
function drawHarmonics(context, width, height) {
  const small = height < 110;
  const [left, right, top, bottom] = small ? [10, 10, 24, height - 4] : [14, 14, 40, height - 26];
  const count = Math.min(state.sound.harmonics, Math.max(1, Math.floor(BAND_LIMIT / (440 * 2 ** ((state.note - 69) / 12)))));
  const [re, im] = [new Float32Array(count), new Float32Array(count)];
  blend(state.sound, registerOf(state.sound, state.note), state.x, state.y, count, re, im);
  const place = (harmonic) => left + ((width - left - right) * Math.log2(harmonic)) / Math.log2(Math.max(count, 8) + 1);
  const level = Array.from(re, (value, k) => 20 * Math.log10(Math.hypot(value, im[k]) + 1e-9));
  const loudest = Math.max(-60, ...level);
  context.fillStyle = colour(state.x, state.y);
  level.forEach((decibels, k) => {
    const tall = clamp(1 + (decibels - loudest) / 72, 0, 1) * (bottom - top);
    const gap = place(k + 2) - place(k + 1);
    context.fillRect(place(k + 1), bottom - tall, Math.max(gap - Math.min(2, gap / 3), 0.5), tall);
  });
  if (small) return;
  context.fillStyle = ink.quiet;
  context.font = "11px system-ui, sans-serif";
  context.strokeStyle = ink.line;
  for (const decibels of [0, -24, -48]) {
    const at = top - (decibels / 72) * (bottom - top);
    context.globalAlpha = 0.6;
    context.fillRect(left, at, width - left - right, 0.5);
    context.globalAlpha = 1;
    context.textAlign = "right";
    context.fillText(decibels, width - right, at - 3);
  }
  context.textAlign = "left";
  for (let harmonic = 1; harmonic <= count; harmonic *= 2) {
    if (place(harmonic) < width - 34) context.fillText(harmonic, place(harmonic), bottom + 16);
  }
}

// ------------------------------------------------------------------------------------------------------- the browser

function fillList() {
  let category = null;
  pack.entries.forEach((entry, index) => {
    if (entry.category && entry.category !== category) {
      $("list").append(Object.assign(document.createElement("h3"), { textContent: entry.category, ariaLevel: 2 }));
    }
    category = entry.category;
    const item = Object.assign(document.createElement("button"), { type: "button", title: entry.name });
    item.dataset.index = index;
    item.dataset.words = [entry.name, entry.category, entry.text, ...entry.tags, ...entry.corners].join(" ").toLowerCase();
    const name = Object.assign(document.createElement("span"), { textContent: entry.name });
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "-2 -110 51 220");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", entry.thumb.map((height, i) => `${i},${-height}`).join(" "));
    line.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(line);
    item.append(svg, name);
    if (entry.rows > 1) item.append(Object.assign(document.createElement("small"), { textContent: "grid" }));
    $("list").append(item);
  });
}

function search() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let any = false;
  let heading = null;
  for (const item of $("list").children) {
    if (item.tagName === "H3") {
      heading = item;
      heading.hidden = true;
      continue;
    }
    item.hidden = !words.every((word) => item.dataset.words.includes(word));
    any ||= !item.hidden;
    if (heading && !item.hidden) heading.hidden = false;
  }
  $("none").hidden = any;
}

function browse(open) {
  document.body.classList.toggle("browsing", open);
  $("browse").setAttribute("aria-expanded", open);
}

$("list").addEventListener("click", ({ target }) => {
  const item = target.closest("button");
  if (!item) return;
  choose(Number(item.dataset.index));
  browse(false);
});
$("list").addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(by)?.focus();
});
$("search").addEventListener("input", search);
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("browse").addEventListener("click", () => browse(!document.body.classList.contains("browsing")));

// ----------------------------------------------------------------------------------------------------------- the pad

function follow(event) {
  const box = $("pad").getBoundingClientRect();
  const [left, across, top, along] = reach(box.width, box.height);
  move((event.clientX - box.left - left) / across, (event.clientY - box.top - top) / along);
}

$("pad").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  $("pad").setPointerCapture(event.pointerId);
  follow(event);
  if (!held.size) press("pad", state.note); // one finger, or only a mouse: the pad plays the last note itself
});
$("pad").addEventListener("pointermove", (event) => $("pad").hasPointerCapture(event.pointerId) && follow(event));
for (const end of ["pointerup", "pointercancel"]) $("pad").addEventListener(end, () => release("pad"));
$("pad").addEventListener("keydown", (event) => {
  const by = event.shiftKey ? 0.005 : 0.025;
  const { x, y } = state;
  const vertical = state.entry.rows > 1 ? [x, y] : null; // a table has one axis: up is forward, as on any slider
  const to = {
    ArrowLeft: [x - by, y],
    ArrowRight: [x + by, y],
    ArrowUp: vertical ? [x, y - by] : [x + by, y],
    ArrowDown: vertical ? [x, y + by] : [x - by, y],
    PageUp: vertical ? [x, y - 0.25] : [x + 0.25, y],
    PageDown: vertical ? [x, y + 0.25] : [x - 0.25, y],
    Home: [0, y],
    End: [1, y],
  }[event.key];
  if (to) move(...to);
  else if (event.key === " " || event.key === "Enter") event.repeat || press("pad", state.note);
  else return;
  event.preventDefault();
});
$("pad").addEventListener("keyup", (event) => (event.key === " " || event.key === "Enter") && release("pad"));

// --------------------------------------------------------------------------------------------------------- the piano

/** Draw as many octaves of keys as there is room for. */
function fillPiano() {
  const width = $("piano").clientWidth;
  const whites = clamp(Math.floor(width / (width < 600 ? 36 : 42)), 8, 29);
  const low = clamp(state.octave, 0, 108);
  const keys = [];
  for (let note = low, white = 0; note <= 127 && (white < whites || isBlack(note)); note++) {
    const key = Object.assign(document.createElement("button"), { type: "button", tabIndex: note === low ? 0 : -1 });
    key.dataset.note = note;
    key.setAttribute("aria-label", noteName(note));
    if (isBlack(note)) key.className = "black";
    else white += 1;
    const letter = letters.get(KEYS[note - state.octave]) ?? "";
    const hint = matchMedia("(hover: hover)").matches ? letter : "";
    key.append(Object.assign(document.createElement("b"), { textContent: hint, ariaHidden: true }));
    if (note % 12 === 0) key.append(noteName(note));
    keys.push(key);
  }
  while (isBlack(Number(keys.at(-1).dataset.note))) keys.pop();
  const share = 100 / keys.filter((key) => !key.className).length;
  let white = 0;
  for (const key of keys) {
    if (!key.className) white += 1;
    else Object.assign(key.style, { left: `${(white - 0.31) * share}%`, width: `${0.62 * share}%` });
  }
  $("piano").replaceChildren(...keys);
  $("octave").textContent = `${noteName(low)} to ${noteName(Number(keys.at(-1).dataset.note))}`;
  showNotes();
}

function shift(octaves) {
  state.octave = clamp(state.octave + 12 * octaves, 12, 96);
  fillPiano();
}

const keyUnder = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest("#piano button");

$("piano").addEventListener("pointerdown", (event) => {
  const key = keyUnder(event);
  if (!key || event.button !== 0) return;
  $("piano").setPointerCapture(event.pointerId);
  press(`finger ${event.pointerId}`, Number(key.dataset.note));
});
$("piano").addEventListener("pointermove", (event) => {
  const who = `finger ${event.pointerId}`;
  const key = held.has(who) && keyUnder(event);
  if (!key || held.get(who) === Number(key.dataset.note)) return;
  release(who); // a glissando
  press(who, Number(key.dataset.note));
});
for (const end of ["pointerup", "pointercancel"]) {
  $("piano").addEventListener(end, (event) => release(`finger ${event.pointerId}`));
}
$("piano").addEventListener("keydown", (event) => {
  const key = event.target;
  const next = { ArrowRight: key.nextElementSibling, ArrowLeft: key.previousElementSibling }[event.key];
  if (next) {
    release("space");
    key.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  } else if (event.key === " " || event.key === "Enter") {
    if (!event.repeat) press("space", Number(key.dataset.note));
  } else return;
  event.preventDefault();
});
$("piano").addEventListener("keyup", (event) => (event.key === " " || event.key === "Enter") && release("space"));
$("piano").addEventListener("focusout", () => release("space"));
$("piano").addEventListener("contextmenu", (event) => event.preventDefault());

// -------------------------------------------------------------------------------------- the computer's keys, and MIDI

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    releaseAll();
    browse(false);
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.id === "search") return;
  const at = KEYS.indexOf(event.code);
  if (at >= 0) press(event.code, state.octave + at);
  else if (event.code === "KeyZ") shift(-1);
  else if (event.code === "KeyX") shift(1);
});
document.addEventListener("keyup", (event) => release(event.code));
addEventListener("blur", () => ["Key", "Semicolon", "finger", "pad", "space"].forEach(releaseAll));

$("lower").addEventListener("click", () => shift(-1));
$("higher").addEventListener("click", () => shift(1));
$("volume").addEventListener("input", setVolume);
$("hold").addEventListener("click", () => {
  $("hold").setAttribute("aria-pressed", !holding());
  if (!holding()) releaseAll("hold");
});

let pedal = false; // down: notes go on when their keys are let go

/** What a MIDI keyboard says: notes, the pedal, pitch bend (two semitones), mod wheel for x, controller 74 (brightness)
 * for y. */
function hear([status, first, second]) {
  const kind = status & 0xf0;
  if (kind === 0x90 && second > 0) press(`midi ${first}`, first, second / 127);
  else if (kind === 0x80 || kind === 0x90) {
    if (pedal && held.has(`midi ${first}`)) held.set(`pedal ${first}`, first);
    release(`midi ${first}`);
  } else if (kind === 0xb0 && first === 64) {
    pedal = second >= 64;
    if (!pedal) releaseAll("pedal");
  }
  else if (kind === 0xe0) tell("pitch", ((first + 128 * second - 8192) / 8192) * 2);
  else if (kind === 0xb0 && first === 1) move(second / 127, state.y);
  else if (kind === 0xb0 && first === 74) move(state.x, second / 127);
  else if (kind === 0xb0 && (first === 120 || first === 123)) ["midi", "pedal"].forEach((kind) => releaseAll(kind));
}

async function connectMidi() {
  start();
  try {
    const access = await navigator.requestMIDIAccess();
    const listen = () => {
      const inputs = [...access.inputs.values()];
      for (const input of inputs) input.onmidimessage = (event) => hear(event.data);
      $("midi").setAttribute("aria-pressed", inputs.length > 0);
      say(inputs.length ? inputs.map((input) => input.name).join(", ") : "No MIDI keyboard found; plug one in.");
    };
    access.onstatechange = listen;
    listen();
  } catch {
    say("The browser does not let this page use MIDI.");
  }
}

$("midi").hidden = !navigator.requestMIDIAccess;
$("midi").addEventListener("click", connectMidi);

// ------------------------------------------------------------------------------------------------------------- begin

function explain() {
  const key = (text) => Object.assign(document.createElement("kbd"), { textContent: text });
  const [low, high, down, up] = ["KeyA", "Semicolon", "KeyZ", "KeyX"].map((code) => key(letters.get(code)));
  $("help").replaceChildren(low, " to ", high, " play, ", down, " ", up, " octave");
}

letters.set("KeyZ", "Z").set("KeyX", "X");
navigator.keyboard?.getLayoutMap?.().then((layout) => {
  for (const code of letters.keys()) letters.set(code, (layout.get(code) ?? letters.get(code)).toUpperCase());
  explain();
  fillPiano();
}, () => {});

$("title").textContent = pack.title;
$("about").textContent = pack.about;
$("shown").textContent = `Up to ${pack.frames} frames and ${pack.harmonics} harmonics of a table are in this page; the files hold all.`;
readColours();
explain();
fillList();
fillPiano();
choose(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  show();
});
new ResizeObserver(show).observe($("pad"));
let pianoWidth = $("piano").clientWidth;
new ResizeObserver(() => {
  if ($("piano").clientWidth === pianoWidth) return;
  pianoWidth = $("piano").clientWidth;
  fillPiano();
}).observe($("piano"));
for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, start, { once: true, capture: true });
