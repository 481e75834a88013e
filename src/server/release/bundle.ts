import { basename, dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * Makes the agent's bundle: everything its command reaches, without dependencies, which is what runs on hosts. Beside the
 * file itself are what it loads only when it needs it, the driver of MySQL, and what both share. The same sources always
 * give the same bytes, wherever they lie.
 */
export async function writeAgentBundle(outfile: string): Promise<void> {
  // Only a checkout builds; the package brings the bundle along and has no esbuild.
  const { build, stop } = await import('esbuild');
  await build({
    stdin: {
      contents:
        "import { reportFailure } from './failure.ts';\nimport { run } from './agent.ts';\nrun(process.argv.slice(2)).catch(reportFailure);\n",
      resolveDir: `${ROOT}src/cli`,
      loader: 'ts',
    },
    outdir: dirname(outfile),
    entryNames: basename(outfile, extname(outfile)),
    chunkNames: 'agent-[name]',
    outExtension: { '.js': extname(outfile) },
    splitting: true,
    absWorkingDir: ROOT,
    // Names of files get into the bundle, and are the same wherever node_modules really lies.
    preserveSymlinks: true,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'esm',
    // Bundled CommonJS packages ask for Node's own modules by `require`.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
    },
    legalComments: 'none',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'silent',
  });
  // Its service process would stay for the next build, which never comes.
  await stop();
}
