import type { CodegenConfig } from '@graphql-codegen/cli'

/** Generates the types of the pages' operations from the committed schema, and the list of the operations' hashes. */
export default {
  schema: '../schema.graphql',
  documents: 'src/{shared,features}/**/*.graphql',
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false, persistedDocuments: { hashAlgorithm: 'sha256' } },
      config: {
        documentMode: 'string',
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { ID: 'string', Date: 'string', DateTime: 'string', Decimal: 'string' },
        useTypeImports: true,
      },
    },
  },
} satisfies CodegenConfig
