// Keeps open pages up to date. One tab of a browser holds the event stream and tells the others; a page that hears of
// a change that concerns it fetches itself again and takes over the parts marked data-live. Pages work without this.
"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const parts = () => [...document.querySelectorAll("[data-live]")];
  if (!parts().length) return;
  const note = find("live-note"), text = find("live-text"), show = find("live-show");
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("forecall-events") : null;
  const PAUSE_MS = 1500;
  const SETTLED_MS = 1000;
  let timer = 0, last = 0, busy = false, changed = Date.now();

  const concerns = (event) => parts().some((part) => {
    const [kind, id] = part.dataset.live.split(":");
    return kind === "tickets" || String(event[kind]) === id;
  });

  // What somebody writes in, or has under the pointer in a list, stays as it is until they ask.
  const held = (part) => {
    const field = document.activeElement;
    return (part.contains(field) && field.matches("input,select,textarea,button"))
      || (part.dataset.live === "tickets" && part.matches(":hover"));
  };
  const plain = (part) => part.innerHTML.replaceAll(' open=""', "");

  const refresh = async (asked) => {
    if (busy) return later();
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href);
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      let waiting = false;
      for (const part of parts()) {
        const next = page.getElementById(part.id);
        if (!next || plain(part) === plain(next)) continue;
        if (!asked && held(part)) { waiting = true; continue; }
        const open = [...part.querySelectorAll("details")].map((d) => d.open);
        next.querySelectorAll("details").forEach((d, i) => { d.open = !!open[i]; });
        part.replaceWith(next);
        changed = Date.now();
        text.textContent = note.dataset.updated;
      }
      show.hidden = !waiting;
    } catch { /* the next event tries again */ } finally { busy = false; }
  };

  // One key decides about a call where the page offers it: it presses the button, or opens the form and goes to its first field. Not
  // while somebody writes, nor so soon after a change that they meant what stood there before.
  document.addEventListener("keydown", (event) => {
    const isTyped = event.target instanceof Element && event.target.matches("input,select,textarea");
    if (isTyped || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
    if (!act || Date.now() - changed < SETTLED_MS) return;
    event.preventDefault();
    if (!act.matches("details")) return act.click();
    act.open = true;
    act.querySelector("input:not([type=hidden])").focus();
  });

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(150, last + PAUSE_MS - Date.now()), false);
  };
  const hear = (event) => { if (concerns(event)) later(); };
  show.onclick = () => refresh(true);
  if (tabs) tabs.onmessage = (message) => hear(message.data);

  const listen = () => {
    const source = new EventSource("/api/v1/events");
    source.onopen = later; // what happened while nobody listened
    source.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (tabs) tabs.postMessage(event);
      hear(event);
    };
  };
  // The lock is held until this tab closes; then the next one in the queue takes over.
  if (tabs && navigator.locks) navigator.locks.request("forecall-events", () => { listen(); return new Promise(() => {}); });
  else listen();
})();
