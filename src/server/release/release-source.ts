/** What a manifest is asked for: a release by its hash, as one act released it, for one kind of machine. */
export interface WantedManifest {
  hash: string;
  serial: number;
  /** `[global] version` of the act. */
  version: string;
  /** As Node.js names it. */
  architecture: string;
  /** The host runs it on a Node.js of its own, so none is listed. */
  hasOwnNode: boolean;
}

/** A `Manifest` as text, and the Ed25519 signature over its UTF-8, base64. */
export interface SignedManifest {
  text: string;
  signature: string;
}

/** The releases whose files this server has: its own, and some of those before. */
export interface ReleaseSource {
  /** What this server's own code would have hosts run. */
  readonly own: { readonly hash: string; readonly version: string };
  /** Of the key that signs manifests, the raw 32 bytes in base64. */
  readonly publicKey: string;
  has(hash: string): boolean;
  /**
   * @returns undefined when it is not to be had here: the hash is unknown, or there are no packages for that architecture.
   * @throws Problem when the disk does not take what is made for it.
   */
  manifest(wanted: WantedManifest): Promise<SignedManifest | undefined>;
  /**
   * From there on at most `MAX_CHUNK_BYTES` of a file that a manifest lists.
   * @returns undefined when there is no such file here, or nothing in it at that offset. @throws what the file system throws.
   */
  read(sha256: string, offset: number): Promise<Buffer | undefined>;
  /** Nothing is to be asked afterwards. */
  close(): Promise<void>;
}
