namespace Kvorum.Simulator;

/// <summary>What every page has: style, legend and the program that draws. Colours after Okabe and Ito.</summary>
internal static class HistoryPageParts
{
    public const string Head =
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
        <meta name="viewport" content="width=device-width">
        <title>Kvorum: a history</title>
        <style>
        :root { color-scheme: light dark; --line: #8886; --ink: #111; --page: #fff; --lane: #f4f4f4 }
        @media (prefers-color-scheme: dark) { :root { --ink: #eee; --page: #16181c; --lane: #22252b } }
        body { font: 14px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 1rem }
        h1 { font-size: 1.4rem; margin: 0 } h1 small { font-weight: normal; font-size: 1rem }
        .anomaly { color: #d55e00 }
        .explanation { font-size: 1.05rem; max-width: 75rem; overflow-wrap: anywhere; margin: .5rem 0 }
        code { background: var(--lane); padding: .15rem .4rem; user-select: all; overflow-wrap: anywhere }
        .legend { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; margin: .6rem 0 }
        .legend .op { position: static; min-width: 3rem }
        main { border: 1px solid var(--line); overflow: hidden; position: relative; cursor: grab; touch-action: none }
        main:focus-visible { outline: 2px solid #0072b2 }
        .axis { height: 1.6rem; position: relative; margin-left: 9rem; border-bottom: 1px solid var(--line) }
        .axis span { position: absolute; border-left: 1px solid var(--line); padding-left: .25rem; white-space: nowrap }
        .lane { display: flex; height: 2rem; border-bottom: 1px solid var(--line) }
        .lane h2 { flex: 0 0 9rem; font-size: .9rem; margin: 0; padding: .35rem .5rem; box-sizing: border-box;
          background: var(--lane); overflow: hidden; white-space: nowrap; text-overflow: ellipsis }
        .track { position: relative; flex: 1; overflow: hidden }
        .op { position: absolute; top: .25rem; height: 1.5rem; line-height: 1.4rem; box-sizing: border-box;
          min-width: 3px; overflow: hidden; white-space: nowrap; padding: 0 .2rem; border: 1px solid #0006;
          border-radius: 3px; font-size: .8rem; color: #000 }
        .done { background: #8cc4ea } .failed { background: #f0e442 }
        .unknown { background: #f3b84a; border-right: 3px dashed #7a4b00; border-radius: 3px 0 0 3px }
        .refused { background: #ccc; text-decoration: line-through }
        .band { background: #cc79a7; border-radius: 0 }
        .witness { outline: 2px dashed #d55e00; outline-offset: 1px; z-index: 2 }
        .first { outline: 4px solid #d55e00; outline-offset: 1px; z-index: 3; min-width: 10px }
        #tip { position: fixed; display: none; background: #111; color: #fff; padding: .5rem .7rem; border-radius: 4px;
          max-width: 45rem; white-space: pre-wrap; overflow-wrap: anywhere; z-index: 9; font-size: .85rem;
          pointer-events: none }
        </style>
        </head>
        <body>

        """;

    public const string Legend =
        """
        <div class="legend">
        <span class="op done">answered</span> <span class="op failed">compare failed</span>
        <span class="op unknown">no answer</span> <span class="op refused">no effect</span>
        <span class="op done first">first impossible</span> <span class="op done witness">witness</span>
        <span class="op band">fault</span>
        <span>Wheel or + and − zoom, drag or ← → move, 0 shows all, M returns to the mark, N and P walk the
        operations.</span>
        </div>

        """;

    public const string Foot =
        """
        <div id="tip" role="tooltip"></div>
        <script>
        'use strict';
        const view = document.getElementById('view'), axis = document.getElementById('axis');
        const tip = document.getElementById('tip'), end = Number(view.dataset.end);
        const boxes = [...view.querySelectorAll('.op')].map(box =>
          ({ box, a: Number(box.dataset.a), b: Number(box.dataset.b) }));
        const marked = view.querySelector('.first');
        let from = 0, to = end, dragged = null;

        function width() { return axis.clientWidth || 1; }
        function draw() {
          const span = Math.min(Math.max(to - from, 1000), end * 1.02);
          from = Math.min(Math.max(from, -0.01 * end), end * 1.01 - span); to = from + span;
          const scale = width() / span;
          for (const { box, a, b } of boxes) {
            box.style.left = (a - from) * scale + 'px';
            box.style.width = Math.max((b - a) * scale, 3) + 'px';
          }
          const rough = span / Math.max(width() / 110, 1), power = 10 ** Math.floor(Math.log10(rough));
          const step = [1, 2, 5, 10].map(times => times * power).find(size => size >= rough);
          axis.replaceChildren();
          for (let at = Math.ceil(Math.max(from, 0) / step) * step; at <= to; at += step) {
            const label = document.createElement('span');
            label.textContent = +(at / 1e6).toFixed(6) + ' s';
            label.style.left = (at - from) * scale + 'px';
            axis.append(label);
          }
        }
        function zoom(factor, at) {
          const fixed = at === undefined ? (from + to) / 2 : at;
          from = fixed - (fixed - from) * factor; to = fixed + (to - fixed) * factor; draw();
        }
        function move(part) { const by = (to - from) * part; from += by; to += by; draw(); }
        function show(box) {
          const rect = box.getBoundingClientRect();
          tip.textContent = box.dataset.tip; tip.style.display = 'block';
          tip.style.left = Math.max(4, Math.min(rect.left, innerWidth - tip.offsetWidth - 8)) + 'px';
          const below = rect.bottom + 6;
          tip.style.top = (below + tip.offsetHeight < innerHeight ? below : rect.top - tip.offsetHeight - 6) + 'px';
        }
        function hide() { tip.style.display = 'none'; }
        function goTo(box) {
          const a = Number(box.dataset.a), b = Number(box.dataset.b);
          const half = Math.max((b - a) * 6, end / 60); from = (a + b) / 2 - half; to = (a + b) / 2 + half; draw();
          box.scrollIntoView({ block: 'center' }); show(box);
        }
        view.addEventListener('wheel', e => {
          e.preventDefault();
          const at = from + (e.clientX - axis.getBoundingClientRect().left) / width() * (to - from);
          if (e.shiftKey) move(Math.sign(e.deltaY || e.deltaX) / 10); else zoom(e.deltaY > 0 ? 1.25 : 0.8, at);
        }, { passive: false });
        view.addEventListener('pointerdown', e => { dragged = { x: e.clientX, from, to }; });
        addEventListener('pointermove', e => {
          if (!dragged) return;
          const by = (dragged.x - e.clientX) / width() * (dragged.to - dragged.from);
          from = dragged.from + by; to = dragged.to + by; draw(); hide();
        });
        addEventListener('pointerup', () => { dragged = null; });
        view.addEventListener('pointerover', e => {
          const box = e.target.closest('.op');
          if (box && !dragged) show(box);
        });
        view.addEventListener('pointerout', hide);
        const ordered = [...boxes].sort((left, right) => left.a - right.a);
        let walked = marked ? ordered.findIndex(entry => entry.box === marked) : -1;
        function walk(by) {
          walked = Math.min(Math.max(walked + by, 0), ordered.length - 1);
          const { box, a, b } = ordered[walked];
          if (a < from || b > to) { const half = (to - from) / 2; from = a - half; to = a + half; draw(); }
          box.scrollIntoView({ block: 'nearest' }); show(box);
        }
        view.addEventListener('keydown', e => {
          const keys = {
            '+': () => zoom(0.7), '=': () => zoom(0.7), '-': () => zoom(1.4),
            '0': () => { from = 0; to = end; draw(); },
            ArrowLeft: () => move(-0.15), ArrowRight: () => move(0.15),
            m: () => marked && goTo(marked), Escape: hide, n: () => walk(1), p: () => walk(-1) };
          const run = keys[e.key] || keys[e.key.toLowerCase()];
          if (run && !e.ctrlKey && !e.metaKey && !e.altKey) { e.preventDefault(); run(); }
        });
        addEventListener('resize', draw);
        draw();
        view.focus({ preventScroll: true });
        if (marked) goTo(marked);
        </script>
        </body>
        </html>

        """;
}
