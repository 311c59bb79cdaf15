import { existsSync } from "node:fs";
import { must } from "./run";

/** Removes what a killed process left of a host of this name; the host itself has died with it (power.ts). */
export async function clearRemains(folder: string, device: string): Promise<void> {
  if (existsSync(folder)) await must(["sh", "-c", CLEAR, "sh", folder, device]);
}

const CLEAR = `
ip link del "$2" 2>/dev/null
for mount in root network; do umount --lazy "$1/$mount" 2>/dev/null; done
rm -rf "$1"
`;
