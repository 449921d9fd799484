// 全部简体中文文字，按页面划分。
import type en from "../en";
import chat from "./chat";
import claim from "./claim";
import connect from "./connect";
import keys from "./keys";
import models from "./models";
import network from "./network";
import now from "./now";
import records from "./records";
import settings from "./settings";
import shell from "./shell";

const zh: typeof en = { shell, claim, chat, models, now, keys, network, settings, connect, records };

export default zh;
