/** One word on something that goes wrong or has come right, as it is told to people. */
export interface Notice {
  /** Host, or server, that it is about. */
  host: string;
  /** `offline`, `deploy`, `server`, `cpu`, … */
  kind: string;
  /** 1 alerted, 0 recovered. */
  istate: 0 | 1;
  /** In plain words. */
  remarks: string;
  /** Epoch ms. */
  atMs: number;
}
