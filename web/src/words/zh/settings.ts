// 设置，以及备份、恢复、诊断、重置。各项设置的说明在 about.ts。
import type en from "../en/settings";

const settings: typeof en = {
  parts: "本页各部分",
  tabs: { settings: "设置", upkeep: "备份与重置" },

  find: "查找设置",
  onlyChanged: "只显示已更改的",
  count: (n) => `${n} 项设置`,
  nothingFound: "没有符合的设置。",
  sections: {
    often: "常用设置",
    models: "模型",
    memory: "内存与计算",
    network: "网络",
    registry: "模型来源",
    box: "设备本身",
    limits: "单个客户端的限额",
    client: "命令行专用",
    other: "其他",
  },

  layers: {
    default: "出厂值",
    file: (where) => `由 ${where} 设定`,
    page: "在此设定",
    environment: (where) => `由 ${where} 设定`,
  },
  unset: "无",
  usual: (value) => `出厂值：${value}`,
  hidden: "已有值，但不显示。",
  afterRestart: "重启后生效",
  waits: "更改需重启后生效。",
  locked: (why) => `无法在此更改：${why}。`,
  byVariable: (variable) => `由变量 ${variable} 决定`,
  units: {
    size: "大小，例如 8GiB 或 500MB",
    time: "时间，例如 30s、5m 或 24h",
    list: "多项以逗号分隔",
    number: "整数",
  },
  back: "撤销此处的设定",
  goesBack: "将恢复为不经本页设定时的值。",
  undo: "撤销更改",

  changes: (n) => `${n} 项更改`,
  needRestart: (n) => `其中 ${n} 项重启后生效`,
  discard: "放弃",
  saveTitle: "保存这些设置？",
  saveText: "它们决定谁可以进入，或设备信任谁。",
  saved: "已保存。",
  pending: (n) => `${n} 项设置等待重启。`,

  restart: "重启",
  restartTitle: "重启设备？",
  restartRuns: (n) => `当前有 ${n} 个请求正在回答。`,
  restartText: (drain) =>
    `正在进行的回答有 ${drain} 的时间结束，之后会被中断。模型在下次使用时重新加载，下载会在之后继续。`,
  restartAct: "重启",
  restarting: "设备正在重启",
  restartingText: "它会结束正在进行的回答，然后自动恢复。本页会一直等待。",
  restarted: "设备已恢复。",
  restartSlow: "用时比平常长。如果没有恢复，请查看设备本身的日志。",

  backup: "备份",
  backupText: "一个文件，包含设置、用户、密钥、对话、已配对的设备以及模型清单。不含模型本身，恢复后需重新获取。",
  passphrase: "口令",
  passphraseHint:
    "至少 10 个字符。设了口令，文件会被加密，并包含设备自己的身份：恢复之后，所有认识此设备的人都照常使用。不设口令，则不含设备身份和已配对设备的密钥，而拿到文件的人可以读到其中的所有对话，也可以据此猜测大家的密码。口令无法找回。",
  passphraseAgain: "再次输入口令",
  different: "两次输入不同。",
  backupAct: "创建备份",
  backupDone: (name) => `备份已下载，文件名为 ${name}。`,

  restore: "恢复",
  restoreText: "用备份替换此设备现有的用户、密钥、对话、设置和配对。会先完整检查备份，然后设备带着它重启。",
  file: "备份文件",
  restorePassphraseHint: "如果创建备份时设了口令。",
  restoreAct: "检查并用它重启",
  restoreOf: (label, made, version) => `${label} 的备份，创建于 ${made}，版本 ${version}。`,
  restoreOfNobody: (made, version) => `备份创建于 ${made}，版本 ${version}。`,
  restoreReady: "备份完好，设备正在用它重启。",
  restoreHas: (people, keys, peers) => `${people} 位用户、${keys} 个密钥、${peers} 台已配对的设备`,
  restoreIdentity: "设备将采用备份中的身份：ID、名称和证书。如果本页没有恢复，请用那个名称打开设备。",
  restoreNoIdentity: "设备保留现有的身份。",
  restoreSettings: "其中包含设置。",
  restoreComplete: "所需模型都已在此设备上。",
  restoreLacks: "以下模型不在此设备上，需要重新获取：",
  restoreLeftOut: "创建备份时未包含：",
  leftOut: { identity: "设备身份：ID 和证书", "peer-keys": "已配对的设备识别它所用的密钥", settings: "机密的设置" },
  onward: "继续",

  diagnostics: "诊断信息",
  diagnosticsText:
    "帮助您的人所需的信息：版本、设置、证书、磁盘、内存和最近的日志。不含任何机密和对话。交给别人之前，您可以先看到它。",
  show: "显示",
  save: "保存为文件",
  copy: "复制",
  diagnosticsName: "hob-diagnostics.json",

  reset: "重新开始",
  resetText:
    "删除使此设备归您所有的一切：用户、密钥、对话、设置、配对、记录以及设备身份。之后它不属于任何人，可以重新认领。如果网络是在本页开启的，之后会关闭。",
  resetTitle: "全部删除？",
  resetModels: "模型",
  resetKeep: "保留在设备上",
  resetRemove: "一并删除",
  typeName: (name) => `请输入设备名称：${name}`,
  resetAct: "全部删除",
  resetDone: "设备重新开始",
  resetDoneText:
    "它会获得新的 ID、新的网络名称和新的证书，因此浏览器会再次发出警告。设置码和地址显示在设备的屏幕上。如果您是通过数字地址而不是名称打开的，请稍后在这里重新打开：",
};

export default settings;
