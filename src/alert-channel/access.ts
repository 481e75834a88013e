import * as z from 'zod/mini';

const text = z.string().check(z.maxLength(2_000));

/** What an agent needs to tell by itself that no server is left: the account that may touch the alerts alone, and where people look. */
export const alertAccessSchema = z.object({
  host: text,
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  user: text,
  password: text,
  database: text,
  /** Empty: not set. */
  wecomUrl: text,
  webhookUrl: text,
});
export type AlertAccess = z.infer<typeof alertAccessSchema>;
