"use strict";
// Sends the requests that the page of the API describes, and shows what comes back. Nothing else has a script.

const key = document.querySelector("#key");

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

async function send(form) {
  const shown = form.querySelector(".answer");
  const { method, formToken } = form.dataset;
  const headers = {};
  if (key.value) headers.Authorization = `Bearer ${key.value}`;
  if (formToken && method !== "GET") headers["X-Form-Token"] = formToken;
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("[data-in]")) {
    if (!field.value && field.dataset.in !== "path") continue;
    if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
    if (field.dataset.in === "query") query.append(field.name, field.value);
    if (field.dataset.in === "header") headers[field.name] = field.value;
  }
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  shown.hidden = false;
  shown.textContent = "waiting";
  try {
    const address = query.size ? `${path}?${query}` : path;
    const answer = await fetch(address, { method, headers, body, cache: "no-store" });
    shown.textContent = [`${method} ${address}`, told(answer), await content(answer)].filter(Boolean).join("\n\n");
  } catch (error) {
    shown.textContent = `not sent: ${error.message}`;
  }
}

function told(answer) {
  const named = ["content-type", "etag", "retry-after", "deprecation", "sunset", "www-authenticate", "x-request-id"];
  const lines = named.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
  return [`${answer.status} ${answer.statusText}`, ...lines].join("\n");
}

async function content(answer) {
  const text = await answer.text();
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
