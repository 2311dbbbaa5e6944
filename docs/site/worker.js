// Browsers start no worker for a page that is read from a file. There a hidden frame takes its place: the same
// script, the same messages, on the page's own thread.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.title = "search";
      document.body.appendChild(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (message) => this.answer(message);
      inside.importScripts = (...urls) =>
        urls.reduce((before, next) => before.then(() => this.load(next)), Promise.resolve());
      this.load(url).then(() => {
        this.ready = true;
        this.waiting.splice(0).forEach((message) => this.deliver(message));
      });
    }
    load(url) {
      return new Promise((resolve, reject) => {
        const script = this.frame.contentDocument.createElement("script");
        script.src = new URL(url, location.href).href;
        script.onload = resolve;
        script.onerror = reject;
        this.frame.contentDocument.body.appendChild(script);
      });
    }
    postMessage(message) {
      if (this.ready) this.deliver(message);
      else this.waiting.push(structuredClone(message));
    }
    deliver(message) {
      const { contentWindow } = this.frame;
      const data = structuredClone(message);
      setTimeout(() => contentWindow.onmessage(new MessageEvent("message", { data })));
    }
    answer(message) {
      const data = structuredClone(message);
      setTimeout(() => this.onmessage?.(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
