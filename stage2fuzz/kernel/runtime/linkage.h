/* Who may see a name: the library's user, or only the runtime's own modules.
 *
 * The build compiles all modules as one unit, where what modules offer one another is static and
 * can be inlined. Each module also compiles alone; then these names are external.
 */
#ifndef STAGE2FUZZ_LINKAGE_H
#define STAGE2FUZZ_LINKAGE_H

#ifdef S2_UNITY
#define S2_OWN static
#else
#define S2_OWN
#endif
#define S2_PUBLIC __attribute__((visibility("default")))

#endif
