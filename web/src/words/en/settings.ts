// The settings, and what keeps a box for years: backup, restore, diagnostics, reset. What each setting decides the box says itself.
export default {
  parts: "Parts of this page",
  tabs: { settings: "Settings", upkeep: "Backup and reset" },

  find: "Find a setting",
  onlyChanged: "Only those that somebody has set",
  count: (n: number) => (n === 1 ? "1 setting" : `${n} settings`),
  nothingFound: "No setting is called that, or says so.",
  sections: {
    often: "What is changed most",
    models: "Models",
    memory: "Memory and computing",
    network: "Network",
    registry: "Where models come from",
    box: "The box itself",
    limits: "What one client may take",
    client: "The command line's own",
    other: "Other",
  },

  layers: {
    default: "as delivered",
    file: (where: string) => `set in ${where}`,
    page: "set here",
    environment: (where: string) => `set by ${where}`,
  },
  unset: "nothing",
  usual: (value: string) => `as delivered: ${value}`,
  hidden: "There is a value, which is not shown.",
  afterRestart: "takes effect after a restart",
  waits: "A change of this waits for a restart.",
  locked: (why: string) => `Not from here: ${why}.`,
  byVariable: (variable: string) => `the variable ${variable} says it`,
  units: {
    size: "A size, as 8GiB or 500MB",
    time: "A time, as 30s, 5m or 24h",
    list: "Several, with commas between",
    number: "A whole number",
  },
  back: "Take back what is set here",
  goesBack: "Will be as it is without this page.",
  undo: "Undo the change",

  changes: (n: number) => (n === 1 ? "1 change" : `${n} changes`),
  needRestart: (n: number) =>
    n === 1 ? "1 of them takes effect after a restart" : `${n} of them take effect after a restart`,
  discard: "Discard",
  saveTitle: "Keep these settings?",
  saveText: "They say who comes in, or whom the box trusts.",
  saved: "Kept.",
  pending: (n: number) => (n === 1 ? "1 setting waits for a restart." : `${n} settings wait for a restart.`),

  restart: "Restart",
  restartTitle: "Restart the box?",
  restartRuns: (n: number) =>
    n === 1 ? "A request is being answered just now." : `${n} requests are being answered just now.`,
  restartText: (drain: string) =>
    `What is being answered has ${drain} to end, and is cut off after that. Models are loaded again when they are next asked. Downloads go on afterwards.`,
  restartAct: "Restart it",
  restarting: "The box restarts",
  restartingText: "It ends what it is answering, and comes back by itself. This page waits for it.",
  restarted: "The box is back.",
  restartSlow: "It takes longer than usual. If it does not come back, look at the box itself: its log says why.",

  backup: "Backup",
  backupText:
    "One file with the settings, people, keys, conversations, paired boxes, and the list of models. The models themselves are not in it; they are pulled again.",
  passphrase: "Passphrase",
  passphraseHint:
    "At least 10 characters. With one, the file is encrypted, and has the box's own identity as well: after a restore, all who know this box go on as before. Without one, the identity and the keys of paired boxes are left out, and whoever gets the file can read every conversation in it and try to guess passwords from it. It cannot be recovered.",
  passphraseAgain: "Passphrase, once more",
  different: "The two are not the same.",
  backupAct: "Make a backup",
  backupDone: (name: string) => `The backup is in your downloads, as ${name}.`,

  restore: "Restore",
  restoreText:
    "Puts a backup in place of what this box has now: its people, keys, conversations, settings and paired boxes. It is checked as a whole first; then the box restarts with it.",
  file: "Backup file",
  restorePassphraseHint: "If it was made with one.",
  restoreAct: "Check it and restart with it",
  restoreOf: (label: string, made: string, version: string) =>
    `A backup of ${label}, of ${made}, by version ${version}.`,
  restoreOfNobody: (made: string, version: string) => `A backup of ${made}, by version ${version}.`,
  restoreReady: "The backup is good. The box restarts with it now.",
  restoreHas: (people: number, keys: number, peers: number) => `${people} people, ${keys} keys, ${peers} paired boxes`,
  restoreIdentity:
    "The box gets the identity of the backup: its ID, name and certificate. If this page does not come back, open the box under that name.",
  restoreNoIdentity: "The box keeps the identity that it has.",
  restoreSettings: "Settings are part of it.",
  restoreComplete: "All its models are on this box.",
  restoreLacks: "These models are not on this box, and have to be pulled again:",
  restoreLeftOut: "Left out when it was made:",
  leftOut: {
    identity: "who the box is: its ID and certificates",
    "peer-keys": "the keys by which paired boxes know it",
    settings: "settings that are secret",
  } as Record<string, string>,
  onward: "Go on",

  diagnostics: "Diagnostics",
  diagnosticsText:
    "What somebody needs to help you: versions, settings, certificate, disk, memory and the last lines of the log. No secret, no conversation. You see it before you give it away.",
  show: "Show it",
  save: "Save as a file",
  copy: "Copy it",
  diagnosticsName: "hob-diagnostics.json",

  reset: "Begin anew",
  resetText:
    "Everything that makes this box yours is removed: people, keys, conversations, settings, paired boxes, records and its identity. It then belongs to nobody, and can be claimed again. If the network was turned on by this page, it is off afterwards.",
  resetTitle: "Remove all of it?",
  resetModels: "The models",
  resetKeep: "Stay on the box",
  resetRemove: "Are removed as well",
  typeName: (name: string) => `Type the name of the box: ${name}`,
  resetAct: "Remove all of it",
  resetDone: "The box begins anew",
  resetDoneText:
    "It gets a new ID, a new name on the network and a new certificate, so your browser warns again. Its console shows the setup code, and where it is. If you came by a number and not by its name, it is there again in a moment:",
};
