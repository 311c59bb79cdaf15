import type { DriverSettings } from "../../lab/driver/wish";
import type { CellLab } from "../../lab/place";
import type { SiteId } from "../../plan/terms";

/** The way between the two sites' databases; everybody else reaches both as before. */
export interface Between {
  /** Nothing gets through any more. */
  cut(): void | Promise<void>;
  /** Connections stay and carry nothing, as behind a router that has died. */
  stall(): void | Promise<void>;
  mend(): void | Promise<void>;
}

/** Where the cells of a lane run: a lab, and how its disks go back to what they were before each cell. */
export interface Ground {
  readonly lab: CellLab;
  readonly between: Between;
  /** What the pair's program says beside the sites and the flags. */
  readonly settings: DriverSettings;
  /** The application runs at site a, which serves; b is empty and the zone has no record of the pair. */
  begin(): Promise<void>;
  /** The pair was made by its first update; now its sites reach each other as the settings say. */
  made(): void;
  /** The pair is at rest and a serves: keeps both disks. Nothing runs at the sites afterwards. */
  keep(): Promise<void>;
  /** Ends all that runs at the sites, and takes every fault back. */
  end(): Promise<void>;
  /** Puts the kept disks back; both sites run again, and a serves with its application. */
  putBack(): Promise<void>;
  close(): Promise<void>;
}

export type DatabaseHosts = Readonly<Record<SiteId, string>>;
