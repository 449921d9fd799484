// 首次访问与登录。
import type en from "../en/claim";

const claim: typeof en = {
  title: "认领这台设备",
  intro: "此设备还没有所有者，因此不会应答网络上的任何人。持有设置码的人可以认领它。",
  compareTitle: "首先：这是正确的设备吗？",
  compare:
    "请将此 ID 与设备自身屏幕或日志中显示的 ID 对照（`hob status` 也会显示）。如果不同，说明有人介于您与设备之间：请就此停止。",
  same: "两个 ID 相同",
  certificate: "浏览器为什么发出警告？",
  certificateText: "设备使用自己签发的证书，您的浏览器还不认识它。通过 ID 可以确认它确实属于该设备。",
  trust: "让本机信任此设备",
  code: "设置码",
  codeHint: "八位字母和数字，显示在设备的屏幕和日志中；在设备上运行 `hob status` 也可看到。",
  ownerTitle: "您是谁？",
  name: "您的名字",
  password: "密码",
  passwordHint: "至少 8 个字符。只有您本人能在设备上重设它。",
  repeat: "再次输入密码",
  different: "两次输入的密码不同。",
  boxTitle: "设备",
  boxName: "您怎么称呼它？",
  boxNameHint: "显示给人看的名称，例如“厨房”或“办公室”。",
  share: "允许与我配对的设备获取此设备上的模型",
  shareHint: "与此设备配对的其他 Hob 将从这里而不是从互联网复制模型。",
  act: "认领此设备",
  done: "这台设备现在属于您了。",
  signIn: "登录",
  signInTitle: (box) => `登录 ${box}`,
  device: "此设备的 ID 开头为",
  forgotten: "忘记密码？在设备上运行 `hob claim --reset-password --name NAME` 可重新设置。",
};

export default claim;
