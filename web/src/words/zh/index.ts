// 全部简体中文文字，按页面划分。
import type en from "../en";
import claim from "./claim";
import connect from "./connect";
import models from "./models";
import now from "./now";
import shell from "./shell";

const zh: typeof en = { shell, claim, models, now, connect };

export default zh;
