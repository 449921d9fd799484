// 全部简体中文文字，按页面划分。
import type en from "../en";
import chat from "./chat";
import claim from "./claim";
import shell from "./shell";

const zh: typeof en = { shell, claim, chat };

export default zh;
