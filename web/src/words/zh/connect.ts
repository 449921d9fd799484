// 使用此设备的程序：在哪里填写什么。
import type en from "../en/connect";

const connect: typeof en = {
  intro: "任何支持 Ollama、OpenAI 或 Anthropic 的程序都能使用此设备。先选择，再复制。",
  address: "地址",
  addressHint: "该程序所在的机器用来访问此设备的地址。",
  localHint: "供设备本机上的程序使用。",
  model: "模型",
  noModel: "此设备上还没有模型。",
  toModels: "先获取一个",
  modelPlaceholder: "MODEL",
  key: "密钥",
  keyNotNeeded: "设备本机上的程序不需要密钥；如果程序要求填写，随便写一个词即可。",
  keyHere: "下面的示例已填入此密钥。它只在这里显示，离开本页后不再显示：请复制所需内容。",
  keyOther: "示例中 YOUR-KEY 处应填写密钥。",
  keyAsk: "请向设备的所有者索取密钥。",
  keyCopy: "复制密钥",
  makeKey: "创建密钥",
  makeTitle: "供程序使用的密钥",
  makeText: "凭此密钥，程序可以使用模型并查看有哪些模型，除此之外什么都不能做。您可以随时在“密钥与用户”中撤销它。",
  makeName: "用于什么？",
  makeNameHint: "便于日后辨认，例如“Open WebUI”或“笔记本电脑”。",
  makeAct: "创建密钥",
  placeholder: "YOUR-KEY",
  trust: "信任此设备",
  trustText:
    "设备使用自己签发的证书。请把设备的根证书交给程序，这样它只会与这台设备通信。下面的示例从同一目录下的文件读取它：",
  trustSave: (file) => `保存 ${file}`,
  trustSystem: "或者让整台电脑或手机信任此设备",
  trustOnly: "设置 SSL_CERT_FILE 后，Python 程序只信任此根证书而不再信任其他证书：请仅为只与此设备通信的程序设置。",
  clients: "程序",
  install: "安装：",
  copyExample: (name) => `复制示例：${name}`,
  steps: {
    "open-webui":
      "然后打开 http://localhost:3000。如果已在运行：管理员设置 → 外部连接 → OpenAI API，填写相同的地址和密钥。",
    continue: "写入 ~/.continue/config.yaml。",
    "home-assistant": "设置 → 设备与服务 → 添加集成 → Ollama。填写此地址和密钥，然后选择模型。",
    "claude-code": "在终端中运行。它的提示词很长：请给模型至少 32,768 个词元的上下文，并选择会调用工具的模型。",
  },
  homeTrust:
    "以容器运行的 Home Assistant 用此参数启动即可信任设备；Home Assistant OS 需要您自己的证书（见“网络”页面），或运行在设备本机上。",
};

export default connect;
