// Keeps open pages up to date. One tab of a browser holds the event stream and tells the others; a page that hears of
// a change that concerns it fetches itself again and takes over the parts marked data-live. Pages work without this.
"use strict";
(() => {
  const parts = () => [...document.querySelectorAll("[data-live]")];
  if (parts().length === 0) return;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("forecall-events") : null;
  const note = document.getElementById("live-note");
  const text = document.getElementById("live-text");
  const show = document.getElementById("live-show");
  const PAUSE_MS = 1500;
  let timer = 0, last = 0, busy = false;

  const concerns = (event) => parts().some((part) => {
    const [kind, id] = part.dataset.live.split(":");
    return kind === "tickets" || kind === "all" || String(event[kind]) === id;
  });

  // What somebody is writing in, or has under the pointer in a list, stays as it is until they ask.
  const held = (part) => {
    const field = document.activeElement;
    if (part.contains(field) && field.matches("input, select, textarea, button")) return true;
    return part.dataset.live === "tickets" && part.matches(":hover");
  };

  const refresh = async (force) => {
    if (busy) return later();
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      let waiting = false, changed = false;
      for (const part of parts()) {
        const next = fresh.getElementById(part.id);
        if (!next) continue;
        const open = [...part.querySelectorAll("details")].map((d) => d.open);
        const before = part.cloneNode(true);
        before.querySelectorAll("details").forEach((d) => d.removeAttribute("open"));
        if (before.innerHTML === next.innerHTML) continue;
        if (!force && held(part)) { waiting = true; continue; }
        part.replaceWith(next);
        [...next.querySelectorAll("details")].forEach((d, i) => { d.open = open[i] || false; });
        changed = true;
      }
      show.hidden = !waiting;
      if (changed) text.textContent = note.dataset.updated;
    } catch { /* the next event tries again */ } finally { busy = false; }
  };

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => refresh(false), Math.max(150, last + PAUSE_MS - Date.now()));
  };
  const hear = (event) => { if (concerns(event)) later(); };
  show.addEventListener("click", () => refresh(true));
  if (channel) channel.onmessage = (message) => hear(message.data);

  const listen = () => {
    const source = new EventSource("/api/v1/events");
    source.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (channel) channel.postMessage(event);
      hear(event);
    };
    source.onopen = later; // what happened while nobody listened
  };
  // The lock is held until this tab closes; then the next one in the queue takes over.
  if (channel && navigator.locks) {
    navigator.locks.request("forecall-events", () => { listen(); return new Promise(() => {}); });
  } else listen();
})();
