// The whole version, for `npm run test:crash`.
import { crashSuite } from "./suite.ts";

crashSuite({ pglite: 25, postgres: 25 });
