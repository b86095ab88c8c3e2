// Makes the pages quicker; every one of them works without this. A form posts by fetch, and what comes back
// is the page that a browser would have shown: it takes the place of ours.

const toasts = document.getElementById("toasts");
const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// --- toasts -----------------------------------------------------------------------------------------------

function announce(toast) {
  const close = toast.querySelector("[name=dismiss]");
  const dismiss = () => {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 300);
  };
  close.hidden = false;
  close.addEventListener("click", dismiss);
  if (toast.getAttribute("role") === "status") setTimeout(dismiss, 6000);
}

// What was announced before may be the opposite of what is so now.
function replaceToasts(page) {
  toasts.replaceChildren(...page.querySelectorAll(".toast"));
  document.querySelectorAll(".toast").forEach(announce);
}

// --- in place ---------------------------------------------------------------------------------------------

// Where the focus is, in words that hold after the page was replaced.
function rememberFocus() {
  const focused = document.activeElement;
  const item = focused?.closest("[data-task-id]");
  const index = item ? [...item.parentElement.children].indexOf(item) : -1;
  return { id: focused?.id, task: item?.dataset.taskId, name: focused?.name, index };
}

function restoreFocus({ id, task, name, index }) {
  const items = [...document.querySelectorAll("[data-task-id]")];
  const same = items.find((item) => item.dataset.taskId === task);
  const near = same ?? (index >= 0 ? items[Math.min(index, items.length - 1)] : undefined);
  const target = document.querySelector("[autofocus]") ?? (id ? document.getElementById(id) : null) ??
    near?.querySelector(`[name="${name}"]`) ?? document.querySelector("h1");
  target?.focus({ preventScroll: Boolean(same) });
}

function show(response, page, focus) {
  for (const old of [...document.body.children]) if (old !== toasts) old.remove();
  toasts.before(...[...page.body.children].filter((child) => child.id !== "toasts"));
  document.body.className = page.body.className;
  document.title = page.title;
  if (response.redirected) history.replaceState(null, "", response.url);
  restoreFocus(focus);
}

async function request(url, options) {
  const response = await fetch(url, { ...options, headers: { "Latchkey-In-Place": "1" } });
  if (response.status === 204) {
    // A log-in comes first, at another site. Nothing goes on here, and the button stays busy, until the page is left.
    location.assign(response.headers.get("Location"));
    await new Promise(() => {});
  }
  return [response, parse(await response.text())];
}

async function post(form, focus) {
  const [response, page] = await request(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const dialog = form.closest("dialog");
  if (dialog && response.status === 422) return fill(dialog, page);
  show(response, page, form.id === "create" && response.ok ? { id: "task-title" } : focus);
  replaceToasts(page);
}

// --- dialogs ----------------------------------------------------------------------------------------------

let opener = {};

function fill(dialog, page) {
  dialog.replaceChildren(...page.getElementById("main").childNodes);
  if (!dialog.open) dialog.showModal();
  const first = dialog.querySelector("[autofocus]") ?? dialog.querySelector("input:not([type=hidden]), [data-close]");
  first?.focus();
}

async function open(form) {
  opener = rememberFocus();
  const url = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  const [response, page] = await request(url);
  const dialog = document.getElementById("dialog");
  if (response.ok && page.getElementById("dialog-title") && dialog) fill(dialog, page);
  else location.assign(url);
}

// What a dialog asked is over; its ids are for the next one. (`close` does not bubble.)
document.addEventListener("close", (event) => event.target.replaceChildren(), true);

// --- events -----------------------------------------------------------------------------------------------

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if (button?.getAttribute("aria-busy") === "true") return event.preventDefault();
  button?.setAttribute("aria-busy", "true");
  const handle = "inPlace" in form.dataset ? post : "dialog" in form.dataset ? open : null;
  if (!handle) return;
  event.preventDefault();
  try {
    await handle(form, form.closest("dialog") ? opener : rememberFocus());
  } catch {
    // No network, or no page of ours: the browser's own way says so.
    // Safe to send again: each of these has the same effect once or twice.
    form.submit();
  } finally {
    button?.removeAttribute("aria-busy");
  }
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const dialog = link.closest("dialog");
  if (dialog && "close" in link.dataset) {
    event.preventDefault();
    dialog.close();
  } else if ("inPlace" in link.dataset) {
    event.preventDefault();
    try {
      const last = document.querySelector("#task-list > li:last-child")?.dataset.taskId;
      const [response, page] = await request(link.href);
      history.replaceState(null, "", link.href);
      show(response, page, { task: last, name: "complete", index: -1 });
    } catch {
      location.assign(link.href);
    }
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input, textarea, select");
  if (typing) {
    if (event.key === "Escape") typing.blur();
    return;
  }
  const ticks = [...document.querySelectorAll("[name=complete]")];
  const item = event.target.closest("[data-task-id]");
  const at = item ? ticks.findIndex((tick) => item.contains(tick)) : -1;
  const target = {
    n: document.getElementById("task-title"),
    "/": document.getElementById("task-search"),
    j: ticks[Math.min(at + 1, ticks.length - 1)],
    k: ticks[Math.max(at - 1, 0)],
  }[event.key];
  if (!target) return;
  event.preventDefault();
  target.focus();
});

// The browser's back button may bring a page back as it was left.
window.addEventListener("pageshow", () => {
  for (const busy of document.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
});

document.querySelectorAll(".toast").forEach(announce);
