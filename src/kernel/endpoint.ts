/** Bytes between one process and one service: a local port that is served, or a remote port that is used; the other is 0. */
export interface EndpointBytes {
  pid: number;
  localPort: number;
  remotePort: number;
  /** As inet_ntop(3) writes it; `0.0.0.0` or `::` of a socket without a fixed peer. */
  remoteAddress: string;
  outBytes: number;
  inBytes: number;
}
