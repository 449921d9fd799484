// 全部简体中文文字，按页面划分。
import type en from "../en";
import claim from "./claim";
import keys from "./keys";
import network from "./network";
import records from "./records";
import settings from "./settings";
import shell from "./shell";

const zh: typeof en = { shell, claim, keys, network, settings, records };

export default zh;
