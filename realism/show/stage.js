// The walk through the scenes: by itself, or by keys. A presenter's clicker sends PageUp and PageDown.
const scenes = [
  ...titleScene(),
  ...photoScenes(),
  ...(story.learning ? learningScenes() : []),
  ...(story.portraits.length ? portraitScenes() : []),
  ...(story.head.length ? [passportScene()] : []),
  ...restoredScenes(),
  endScene(),
];
const bars = scenes.map(scene => {
  const bar = add(document.getElementById('line'), 'span');
  bar.style.flex = scene.seconds;
  return add(bar, 'i');
});
let current = 0, time = 0, last = null, asked = false;
let plays = !matchMedia('(prefers-reduced-motion: reduce)').matches; // goes on by itself
let still = false; // time stands

function show(number, at = 0) {
  current = clamp(number, 0, scenes.length - 1);
  time = at;
  scenes.forEach(scene => scene.section.classList.toggle('on', scene.section === scenes[current].section));
  draw();
}
function draw() {
  scenes[current].draw(time);
  document.body.classList.toggle('paused', still || !plays);
  bars.forEach((bar, n) => { bar.style.width = (n < current ? 100 : n > current ? 0 : 100 * time / scenes[n].seconds) + '%'; });
}
function tick(now) {
  const { seconds } = scenes[current];
  if (!still && last !== null) time += Math.min(.1, (now - last) / 1000);
  last = now;
  if (time >= seconds && plays && !still && current < scenes.length - 1) show(current + 1);
  else { time = Math.min(time, seconds); draw(); }
  requestAnimationFrame(tick);
}
function go(number) { plays = false; still = false; show(number); }
function toggle() {
  if (plays && !still) still = true;
  else { plays = true; still = false; if (current === scenes.length - 1 && time >= scenes[current].seconds) show(0); }
}
function end() {
  if (document.fullscreenElement) document.exitFullscreen();
  window.close(); // where the page opened this; elsewhere it does nothing
  go(0);
}
const KEYS = {
  ArrowRight: () => go(current + 1), PageDown: () => go(current + 1), Enter: () => go(current + 1),
  ArrowLeft: () => go(current - 1), PageUp: () => go(current - 1), Home: () => go(0), End: () => go(scenes.length - 1),
  ' ': toggle, Escape: end,
};
addEventListener('keydown', event => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  // A browser fills the screen only after a key; whoever leaves that is not brought back.
  if (!asked && event.key !== 'Escape') {
    asked = true;
    document.documentElement.requestFullscreen?.().catch(() => {});
  }
  act();
});
addEventListener('pointerup', event => {
  if (event.pointerType === 'touch') go(current + (event.clientX < innerWidth / 3 ? -1 : 1));
});
let sleeping;
addEventListener('pointermove', () => {
  document.body.classList.add('awake');
  clearTimeout(sleeping);
  sleeping = setTimeout(() => document.body.classList.remove('awake'), 1500);
});
addEventListener('resize', draw);
show(0);
requestAnimationFrame(tick);
