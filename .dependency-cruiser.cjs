/** The import directions of the house: ground floor, first floor, server, command line. A Problem may be thrown anywhere. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'ground-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/(protocol|procfs|kernel)/' },
      to: { path: '^(src|tui)/', pathNot: '^src/$1/' },
    },
    {
      name: 'config-and-logger-are-leaves',
      severity: 'error',
      from: { path: '^src/(config|config-keys|logger|lock|problem)[.]ts$' },
      to: { path: '^(src|tui)/', pathNot: '^src/(problem|config-keys)[.]ts$' },
    },
    {
      name: 'alert-channels-are-leaves',
      severity: 'error',
      from: { path: '^src/alert-channel/' },
      to: { path: '^(src|tui)/', pathNot: '^src/(alert-channel/|problem[.]ts$)' },
    },
    {
      name: 'agent-reaches-the-ground-only',
      severity: 'error',
      from: { path: '^src/agent/' },
      to: { path: '^(src|tui)/', pathNot: '^src/((agent|protocol|procfs|kernel|alert-channel)/|problem[.]ts$)' },
    },
    {
      name: 'store-reaches-protocol-only',
      severity: 'error',
      from: { path: '^src/store/' },
      to: { path: '^(src|tui)/', pathNot: '^src/((store|protocol)/|problem[.]ts$)' },
    },
    {
      name: 'server-knows-the-store-ports-only',
      severity: 'error',
      from: { path: '^src/server/' },
      to: {
        path: '^(src|tui)/',
        pathNot: '^src/(server/|protocol/|alert-channel/|store/(store|fleet|rollout)[.]ts$|problem[.]ts$)',
      },
    },
    {
      name: 'client-reaches-protocol-only',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^(src|tui)/', pathNot: '^src/(client|protocol)/' },
    },
    {
      name: 'dashboard-reaches-protocol-and-tables-only',
      severity: 'error',
      from: { path: '^src/dashboard/' },
      to: { path: '^(src|tui)/', pathNot: '^src/((dashboard|protocol)/|store/tables?[.]ts$)' },
    },
    {
      name: 'tui-reaches-client-and-protocol-only',
      severity: 'error',
      from: { path: '^tui/' },
      to: { path: '^(src|tui)/', pathNot: '^(tui/|src/(client|protocol)/)' },
    },
    {
      name: 'nothing-imports-the-command-line',
      severity: 'error',
      from: { pathNot: '^src/(cli/|main[.]ts$)' },
      to: { path: '^src/(cli/|main[.]ts$)' },
    },
    {
      name: 'blessed-stays-behind-the-screen',
      severity: 'error',
      from: { pathNot: '^tui/screen[.]ts$' },
      to: { path: 'node_modules/(@types/)?blessed' },
    },
    { name: 'no-unresolved-imports', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // Packages whose parts are named in package.json alone.
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
