/** @file The process that looks at a stranger's model, and runs it: it may hang, run out of memory or crash, and only it. */
import { imageFolder } from "../data/image-folder-node.ts";
import { serveTask } from "../files/index.ts";
import { openFile } from "../model/open-model-node.ts";
import { nodeRuntime } from "../runtime/onnxruntime-node.ts";
import { inspectParts } from "./inspect.ts";
import type { InspectTask } from "./inspect-node.ts";

serveTask(async (task: InspectTask) => {
  const { path, provenance, license, data, isRun, output, bytes, base, threads } = task;
  const source = await openFile(path, { inThisProcess: true, origin: provenance.source });
  const model = { ...source, license: license ?? source.license, provenance, path };
  const runtime = isRun ? await nodeRuntime({ threads }) : undefined;
  const whole = { validationFraction: 0, testFraction: 0 };
  const photos = data === undefined ? undefined : { folder: data, read: await imageFolder(data, whole) };
  try {
    return await inspectParts({ model, bytes, photos, runtime, output }, base);
  } finally {
    await photos?.read.close();
  }
});
