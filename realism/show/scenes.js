// The scenes. Each is {section, seconds, draw(t)}: what it shows t seconds after it began.
'use strict';
const story = JSON.parse(document.getElementById('story').textContent);
const words = story.words;
const stage = document.getElementById('stage');

const clamp = (x, low = 0, high = 1) => Math.min(high, Math.max(low, x));
const mix = (a, b, x) => a + (b - a) * x;
// From 0 to 1 within some seconds, slow at both ends.
const rise = (t, from, seconds) => { const x = clamp((t - from) / seconds); return x * x * (3 - 2 * x); };
const isWide = () => innerWidth > innerHeight * 1.05;

function add(parent, tag, name = '', text = '') {
  const made = parent.appendChild(document.createElement(tag));
  made.className = name;
  made.textContent = text;
  return made;
}
function addPicture(parent, source, name = '') {
  const made = add(parent, 'img', name);
  made.src = source;
  made.alt = '';
  return made;
}
function write(element, text) { if (element.textContent !== text) element.textContent = text; }

function section(id, generated = false) {
  const root = add(stage, 'section');
  root.id = id;
  const head = add(root, 'header');
  const made = { root, head, title: add(head, 'h1'), below: add(head, 'p') };
  if (generated) made.notice = add(root, 'span', 'made', words.generated);
  return made;
}
// Where a section has room, below its heading.
function room(part, foot = 0) {
  const pad = part.head.offsetLeft, top = part.head.offsetTop + part.head.offsetHeight + pad * .35;
  return { x: pad, y: top, w: innerWidth - 2 * pad, h: innerHeight - top - pad * .7 - foot };
}
// Squares in rows, as large as fit; `under` px below each are left for words.
function grid(count, box, under = 0) {
  const gap = Math.max(6, Math.min(box.w, box.h) * .018);
  let best = { side: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const side = Math.min((box.w - (columns - 1) * gap) / columns, (box.h - (rows - 1) * gap) / rows - under);
    if (side > best.side) best = { side, columns, rows };
  }
  const { side, columns, rows } = best, high = rows * (side + under + gap) - gap;
  return number => {
    const row = Math.floor(number / columns), inRow = Math.min(columns, count - row * columns);
    const wide = inRow * (side + gap) - gap;
    return {
      x: box.x + (box.w - wide) / 2 + (number % columns) * (side + gap),
      y: box.y + (box.h - high) / 2 + row * (side + under + gap), side,
    };
  };
}
function between(a, b, x) {
  return { x: mix(a.x, b.x, x), y: mix(a.y, b.y, x), side: mix(a.side, b.side, x) };
}
function place(element, at, { opacity = 1, turn = 0, above = 0 } = {}) {
  const style = element.style;
  style.width = style.height = at.side + 'px';
  style.transform = `translate(${at.x}px, ${at.y}px) rotate(${turn}deg)`;
  style.opacity = opacity;
  style.zIndex = above;
}
function fit(canvas, width, height) {
  const fine = devicePixelRatio || 1, w = Math.round(width * fine), h = Math.round(height * fine);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  canvas.style.width = width + 'px';
  canvas.style.height = height + 'px';
  const pen = canvas.getContext('2d');
  pen.setTransform(fine, 0, 0, fine, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.imageSmoothingQuality = 'high';
  return pen;
}
function load(source) { const picture = new Image(); picture.src = source; return picture; }
// Two squares side by side, or one above the other on a phone; room for a line under each.
function pairIn(box, under) {
  const gap = Math.min(box.w, box.h) * .05;
  const side = isWide() ? Math.min((box.w - gap) / 2, box.h - under) : Math.min(box.w, (box.h - gap) / 2 - under);
  const left = box.x + (box.w - side * (isWide() ? 2 : 1) - (isWide() ? gap : 0)) / 2;
  const top = box.y + (box.h - (isWide() ? side + under : 2 * (side + under) + gap)) / 2;
  const second = isWide() ? { x: left + side + gap, y: top } : { x: left, y: top + side + under + gap };
  return [{ x: left, y: top, side }, { ...second, side }];
}
const lineHigh = () => clamp(innerHeight * .05, 26, 60);
const two = value => value.toFixed(2);

function titleScene() {
  const root = add(stage, 'section');
  root.id = 'title';
  const face = addPicture(root, story.face, 'face'), text = add(root, 'div');
  add(text, 'h1', '', story.name);
  add(text, 'p', '', words.end);
  add(text, 'small', '', words.keys);
  const draw = t => {
    face.style.transform = `scale(${1 + .05 * clamp(t / 8)})`;
    text.style.opacity = rise(t, .3, 1.2);
  };
  return [{ section: root, seconds: 8, draw }];
}

function photoScenes() {
  const part = section('photos'), count = story.photos.length;
  const tiles = story.photos.map(photo => {
    const tile = add(part.root, 'div', 'tile');
    addPicture(tile, photo.picture);
    add(tile, 'i');
    return tile;
  });
  const why = add(part.root, 'div', 'words');
  const refused = story.photos.flatMap((photo, number) => photo.accepted ? [] : [number]);
  const JUDGED = 5, EACH = 4;
  const lay = judged => {
    write(part.title, judged ? words.verdicts : words.photos);
    write(part.below, judged ? `✓ ${count - refused.length}    ✕ ${refused.length}` : String(count));
    const box = room(part);
    return { box, at: grid(count, box) };
  };
  const arrive = t => {
    const { at } = lay(false);
    why.style.opacity = 0;
    tiles.forEach((tile, number) => {
      const x = rise(t, .6 + number * 7 / count, 1.3), turn = (number * 47 % 31 - 15) * (1 - x);
      const from = { x: innerWidth * (.25 + number * 37 % 50 / 100), y: innerHeight * 1.1, side: at(number).side };
      tile.className = 'tile';
      place(tile, between(from, at(number), x), { turn, opacity: clamp(x * 4) });
    });
  };
  const judge = t => {
    const { box, at } = lay(true), wide = isWide(), side = wide ? Math.min(box.h * .9, box.w * .42) : Math.min(box.w, box.h * .55);
    const near = { x: wide ? box.x + box.w * .05 : box.x + (box.w - side) / 2, y: wide ? box.y + (box.h - side) / 2 : box.y, side };
    let said = -1, dark = 0;
    tiles.forEach((tile, number) => {
      const judged = t > .6 + number * 3 / count, turn = refused.indexOf(number), begin = JUDGED + turn * EACH;
      tile.className = 'tile ' + (judged ? (story.photos[number].accepted ? 'good' : 'bad') : '');
      const out = turn < 0 ? 0 : rise(t, begin, .8) * (1 - rise(t, begin + EACH - .5, .8));
      if (out > .5) said = number;
      dark = Math.max(dark, out);
      place(tile, between(at(number), near, out), { above: out > 0 ? 5 : 0 });
    });
    tiles.forEach((tile, number) => {
      const turn = refused.indexOf(number), over = turn >= 0 && t > JUDGED + turn * EACH;
      if (!over || t > JUDGED + (turn + 1) * EACH + .4) tile.style.opacity = 1 - .88 * dark;
    });
    if (said >= 0) write(why, story.photos[said].reason);
    why.style.opacity = clamp(dark * 2 - 1);
    const beside = wide ? near.x + side + box.w * .05 : box.x, below = wide ? box.y : near.y + side;
    why.style.transform = `translate(${beside}px, ${below}px)`;
    why.style.width = box.x + box.w - beside + 'px';
    why.style.height = box.y + box.h - below + 'px';
  };
  return [
    { section: part.root, seconds: 11, draw: arrive },
    { section: part.root, seconds: JUDGED + 1.5 + EACH * refused.length, draw: judge },
  ];
}

function learningScenes() {
  const { steps, losses, previews } = story.learning, part = section('learning', previews.length > 0);
  const figures = add(part.root, 'div', 'figures'), chart = add(part.root, 'canvas', 'chart');
  const step = add(add(figures, 'span', '', words.step + ' '), 'b');
  const loss = add(add(figures, 'span', '', words.loss + ' '), 'b');
  const groups = previews.map(preview => preview.pictures.map(source => {
    const tile = add(part.root, 'div', 'tile');
    addPicture(tile, source);
    return tile;
  }));
  const alike = add(part.root, 'div', 'figures'), unseen = add(alike, 'span', '', words.alike_unseen + ' ');
  const likeness = add(unseen, 'b');
  // The mean of what came last (Adam's bias-corrected moment): one step's loss is mostly its noise.
  const keep = 1 - 1 / clamp(losses.length / 16, 2, 50);
  let sum = 0;
  const smooth = losses.map((value, n) => (sum = keep * sum + (1 - keep) * value) / (1 - keep ** (n + 1)));
  const sorted = [...losses].sort((a, b) => a - b), low = Math.min(sorted[Math.floor(sorted.length * .05)], ...smooth);
  const high = Math.max(sorted[Math.floor(sorted.length * .93)], ...smooth.slice(3));
  const draw = t => {
    write(part.title, words.learning);
    const box = room(part), wide = isWide(), line = lineHigh(), all = previews.length ? 1 : 0;
    const w = wide && all ? box.w * .56 : box.w, h = wide || !all ? box.h - line * 1.4 : box.h * .4 - line;
    figures.style.transform = `translate(${box.x}px, ${box.y}px)`;
    chart.style.transform = `translate(${box.x}px, ${box.y + line * 1.4}px)`;
    const at = clamp((t - .8) / 15) * (losses.length - 1), now = Math.floor(at), pen = fit(chart, w, h);
    const x = n => n / (losses.length - 1) * (w - 14), y = value => h - 8 - clamp((value - low) / (high - low || 1), 0, 1.02) * (h - 20);
    write(step, `${steps[now]} / ${steps[steps.length - 1]}`);
    write(loss, smooth[now].toFixed(4));
    pen.strokeStyle = '#ffffff26';
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, h - .5);
    pen.lineTo(w, h - .5);
    pen.stroke();
    const curve = (values, colour, width) => {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.lineJoin = 'round';
      pen.beginPath();
      for (let n = 0; n <= now; n++) pen.lineTo(x(n), y(values[n]));
      pen.stroke();
    };
    curve(losses, '#ffffff30', 1.2);
    curve(smooth, '#2dd4bf', Math.max(2.5, h / 130));
    pen.fillStyle = '#fff';
    pen.beginPath();
    pen.arc(x(now), y(smooth[now]), Math.max(4, h / 85), 0, 7);
    pen.fill();
    const reached = previews.filter(preview => preview.step <= steps[now]).length - 1;
    const beside = wide ? { x: box.x + w + box.w * .04, y: box.y, w: box.w * .4, h: box.h - line * 1.6 }
      : { x: box.x, y: box.y + line * 1.8 + h, w: box.w, h: box.h - h - line * 3.2 };
    groups.forEach((group, number) => {
      const since = steps.findIndex(value => value >= previews[number].step) / (losses.length - 1) * 15 + .8;
      const cell = grid(group.length, beside);
      group.forEach((tile, n) => place(tile, cell(n), { opacity: rise(t, since, .7), above: number }));
    });
    const known = previews[reached]?.likeness;
    alike.style.opacity = known == null ? 0 : 1;
    if (known != null) write(likeness, two(known));
    alike.style.transform = `translate(${beside.x + Math.max(0, (beside.w - alike.offsetWidth) / 2)}px, ${beside.y + beside.h + line * .2}px)`;
  };
  return [{ section: part.root, seconds: 18, draw }];
}

function portraitScenes() {
  const part = section('portraits', true), count = story.portraits.length, order = [...story.order];
  story.portraits.forEach((_, n) => { if (!order.includes(n)) order.push(n); });
  const tiles = story.portraits.map(portrait => {
    const tile = add(part.root, 'div', 'tile');
    addPicture(tile, portrait.picture);
    add(tile, 'b');
    return tile;
  });
  const photo = add(part.root, 'div', 'tile');
  addPicture(photo, story.photos[story.best_photo].picture);
  add(photo, 'b', '', words.photo);
  const lay = (title, below) => {
    write(part.title, title);
    write(part.below, below);
    photo.style.opacity = 0;
    return grid(count, room(part), story.order.length ? lineHigh() * .8 : 0);
  };
  const label = (number, opacity) => {
    const value = story.portraits[number].likeness, below = tiles[number].lastChild;
    write(below, value == null ? '' : two(value));
    below.style.opacity = opacity;
  };
  const appear = t => {
    const at = lay(words.portraits, String(count));
    tiles.forEach((tile, n) => {
      const x = rise(t, .5 + n * 6.5 / count, 1.8);
      tile.className = 'tile';
      tile.style.filter = x < 1 ? `blur(${(1 - x) * 22}px) saturate(${x})` : '';
      label(n, 0);
      place(tile, at(n), { opacity: clamp(x * 1.6) });
    });
  };
  const sort = t => {
    const at = lay(words.sorted, '');
    order.forEach((n, rank) => {
      const begin = 1 + rank * 8 / count, x = rise(t, begin, 1.8), lift = Math.sin(Math.PI * x);
      const to = between(at(n), at(rank), x), tile = tiles[n], more = to.side * .14 * lift;
      tile.className = 'tile' + (rank < 3 && t > begin + 1.8 ? ' first' : '');
      tile.style.filter = '';
      label(n, rise(t, begin + 1.2, .6));
      place(tile, { x: to.x - more / 2, y: to.y - more / 2 - lift * 12, side: to.side + more }, { above: lift > .01 ? 50 - rank : 0 });
    });
  };
  const closest = t => {
    const at = lay(words.closest, ''), best = tiles[order[0]], x = rise(t, .3, 1.4);
    const [left, right] = pairIn(room(part), lineHigh() * 1.2);
    order.forEach((n, rank) => {
      tiles[n].className = 'tile' + (rank ? '' : ' first');
      tiles[n].style.filter = '';
      label(n, 1);
      place(tiles[n], at(rank), { opacity: 1 - x });
    });
    write(best.lastChild, (x > .5 ? words.likeness + ' ' : '') + two(story.portraits[order[0]].likeness));
    place(best, between(at(0), right, x), { above: 60 });
    place(photo, left, { opacity: rise(t, 1, 1), above: 61 });
  };
  const scenes = [{ section: part.root, seconds: 9.5, draw: appear }];
  if (story.order.length) {
    scenes.push({ section: part.root, seconds: 12.5, draw: sort });
    if (story.portraits[order[0]].likeness != null) scenes.push({ section: part.root, seconds: 7, draw: closest });
  }
  return scenes;
}

function passportScene() {
  const part = section('passport'), canvas = add(part.root, 'canvas'), list = add(part.root, 'ul', 'legend');
  const sides = story.head.map(load), last = sides.length - 1, ratio = () => sides[0].naturalWidth / sides[0].naturalHeight || .8;
  const counts = story.kinds.map(kind => {
    const row = add(list, 'li');
    add(row, 'i').style.background = kind.colour;
    add(row, 'span', '', kind.name);
    return { count: add(row, 'b'), of: kind.count };
  });
  const draw = t => {
    write(part.title, words.passport);
    const wide = isWide(), box = room(part, wide ? 0 : list.offsetHeight + 16);
    const h = Math.min(box.h, (wide ? box.w * .6 : box.w) / ratio()), w = h * ratio();
    const left = wide ? box.x + box.w * .36 - w / 2 : box.x + (box.w - w) / 2;
    canvas.style.transform = `translate(${left}px, ${box.y + (box.h - h) / 2}px)`;
    const pen = fit(canvas, w, h), at = (1 - Math.cos(2 * Math.PI * (t / 9 + .25))) / 2 * last, low = Math.min(last, Math.floor(at));
    [[low, 1], [Math.min(last, low + 1), at - low]].forEach(([number, share]) => {
      pen.globalAlpha = share * rise(t, .2, 1.2);
      if (sides[number].complete) pen.drawImage(sides[number], 0, 0, w, h);
    });
    pen.globalAlpha = 1;
    counts.forEach(({ count, of }) => write(count, String(Math.round(of * rise(t, .6, 2.4)))));
    list.style.flexDirection = wide ? 'column' : 'row';
    list.style.left = (wide ? box.x + box.w * .68 : box.x) + 'px';
    list.style.top = (wide ? box.y + (box.h - list.offsetHeight) / 2 : box.y + box.h + 8) + 'px';
    list.style.maxWidth = (wide ? box.w * .32 : box.w) + 'px';
  };
  return { section: part.root, seconds: 18, draw };
}

function restoredScenes() {
  return story.restored.map(pair => {
    const part = section('restored-' + story.restored.indexOf(pair), true);
    const panes = [words.before, words.after].map((label, n) => {
      const pane = add(part.root, 'div', 'pane'), canvas = add(pane, 'canvas'), line = add(pane, 'b', '', label);
      if (pair.likeness[0] != null && pair.likeness[1] != null) add(line, 'em', '', `${words.likeness} ${two(pair.likeness[n])}`);
      return { pane, canvas };
    });
    const before = load(pair.before), after = load(pair.after), { width, height, places } = pair;
    const short = Math.min(width, height), xs = places.map(at => at[0]), ys = places.map(at => at[1]);
    const ends = places.length ? [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)] : [width / 2, width / 2, height / 2, height / 2];
    const near = clamp(2.3 * Math.max(ends[1] - ends[0], ends[3] - ends[2]), .62 * short, short);
    const centre = [(ends[0] + ends[1]) / 2, (ends[2] + ends[3]) / 2], gap = Math.min(.8, 4 / Math.max(1, places.length));
    const draw = t => {
      write(part.title, words.restored);
      const cells = pairIn(room(part), lineHigh() * 1.1), side = cells[0].side, reach = mix(short, near, rise(t, .4, 6));
      const left = clamp(centre[0] - reach / 2, 0, width - reach), top = clamp(centre[1] - reach / 2, 0, height - reach);
      const on = value => value / reach * side;
      panes.forEach(({ pane, canvas }, n) => {
        place(pane, cells[n]);
        const pen = fit(canvas, side, side);
        const paint = picture => {
          const fine = picture.naturalWidth / width || 1;
          if (picture.complete) pen.drawImage(picture, left * fine, top * fine, reach * fine, reach * fine, 0, 0, side, side);
        };
        paint(before);
        if (!n) return;
        places.forEach(([x, y], number) => {
          const grown = rise(t, 1.8 + number * gap, 1);
          if (!grown) return;
          pen.save();
          pen.beginPath();
          pen.arc(on(x - left), on(y - top), on(.05 * short) * grown, 0, 7);
          pen.clip();
          paint(after);
          pen.restore();
        });
        // What lies farther from the places than a disc reaches: the ends of wrinkles.
        pen.globalAlpha = rise(t, 2 + gap * places.length, 1.2);
        paint(after);
        pen.globalAlpha = 1;
        places.forEach(([x, y], number) => {
          const wave = clamp((t - 1.8 - number * gap) / 1.1);
          if (wave === 0 || wave === 1) return;
          pen.strokeStyle = `rgb(255 255 255 / ${.9 * (1 - wave)})`;
          pen.lineWidth = Math.max(1.5, side / 300);
          pen.beginPath();
          pen.arc(on(x - left), on(y - top), side * (.012 + .05 * wave), 0, 7);
          pen.stroke();
        });
      });
    };
    return { section: part.root, seconds: 8, draw };
  });
}

function endScene() {
  const part = section('end', story.generated), pictures = [[story.photos[story.best_photo].picture, words.photo]];
  if (story.restored.length) pictures.push([story.restored[0].before, words.before], [story.restored[0].after, words.after]);
  else if (story.portraits.length) pictures.push([story.portraits[story.order[0] ?? 0].picture, words.before]);
  const tiles = pictures.map(([source, label]) => {
    const tile = add(part.root, 'div', 'tile');
    addPicture(tile, source);
    add(tile, 'b', '', label);
    return tile;
  });
  const list = add(part.root, 'ul');
  story.missing.forEach(sentence => add(list, 'li', '', sentence));
  const draw = t => {
    write(part.title, story.name);
    write(part.below, 'Realism');
    const at = grid(tiles.length, room(part, list.offsetHeight + lineHigh() * .3), lineHigh() * .8);
    tiles.forEach((tile, n) => place(tile, at(n), { opacity: rise(t, .3 + n * .9, 1.2) }));
  };
  return { section: part.root, seconds: 10, draw };
}
