export default { root: __dirname, build: { outDir: '../../dist/apps/site' } }
