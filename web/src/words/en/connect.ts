// Programs that use the box: what to enter where.
export default {
  intro: "Any program that knows Ollama, OpenAI or Anthropic can use this box. Choose, then copy.",
  address: "Address",
  addressHint: "The one by which that program's machine reaches the box.",
  localHint: "For programs on the box itself.",
  model: "Model",
  noModel: "There is no model on the box yet.",
  toModels: "Get one first",
  modelPlaceholder: "MODEL",
  key: "Key",
  keyNotNeeded: "Programs on the box itself need no key; where a program insists on one, any word will do.",
  keyHere:
    "The examples below have this key in them. It is shown here only, until you leave this page: copy what you need.",
  keyOther: "The examples say YOUR-KEY where the key belongs.",
  keyAsk: "Ask an owner of the box for a key.",
  keyCopy: "Copy the key",
  makeKey: "Make a key",
  makeTitle: "A key for a program",
  makeText:
    "With it a program may use the models and see which there are, and nothing else. It can be revoked at any time, under Keys and people.",
  makeName: "What is it for?",
  makeNameHint: "So that you know it again, as “Open WebUI” or “laptop”.",
  makeAct: "Make the key",
  placeholder: "YOUR-KEY",
  trust: "Trust the box",
  trustText:
    "The box made its own certificate. A program has to be given the box's root certificate, so that it talks to this box and to no other. The examples below take it from a file beside them:",
  trustSave: (file: string) => `Save ${file}`,
  trustSystem: "Or teach the whole device to trust the box",
  trustOnly:
    "With SSL_CERT_FILE set, a Python program trusts this root instead of all others: set it for programs that talk to the box alone.",
  clients: "Program",
  install: "To install:",
  copyExample: (name: string) => `Copy the example: ${name}`,
  steps: {
    "open-webui":
      "Then open http://localhost:3000. In one that runs already: Admin Settings, Connections, OpenAI API, with the same address and key.",
    continue: "In ~/.continue/config.yaml.",
    "home-assistant":
      "Settings, Devices & services, Add integration, Ollama. Enter this address and this key, then choose the model.",
    "claude-code":
      "In a terminal. It sends long prompts: give the model a context of 32,768 tokens or more, and take one that calls tools.",
  } as Record<string, string>,
  homeTrust:
    "Home Assistant in a container trusts the box if it is started with this; Home Assistant OS needs a certificate of your own (Network page) or runs on the box itself.",
};
