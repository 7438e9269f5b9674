//! Models that others made and published, for the tests of `tests/tests/wild`: which, from where, in which version, with which hash.

use super::table::{Artefact, Package, Registry};

/// Small ones, together 12.5 MB to download. All are MIT or Apache 2.0; none is part of the repository.
pub(crate) const MODELS: &[Package] = &[
    Package {
        name: "silero-vad",
        folder: "models/silero-vad",
        title: "models of silero-vad 6.2.3 (MIT)",
        needs: &[],
        variables: &[],
        artefacts: &[Artefact {
            registry: Registry::PyPi,
            package: "silero-vad",
            version: "6.2.3",
            sha256: "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
            bytes: 11_317_527,
            take: &[
                ("silero_vad/data/silero_vad.onnx", "silero_vad.onnx"),
                ("silero_vad/data/silero_vad.jit", "silero_vad.jit"),
            ],
        }],
        made: &[],
        installed: &[
            ("silero_vad.onnx", "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"),
            ("silero_vad.jit", "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720"),
        ],
    },
    Package {
        name: "basic-pitch",
        folder: "models/basic-pitch",
        title: "models of basic-pitch 0.4.0 (Apache 2.0)",
        needs: &[],
        variables: &[],
        artefacts: &[Artefact {
            registry: Registry::PyPi,
            package: "basic-pitch",
            version: "0.4.0",
            sha256: "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0",
            bytes: 758_279,
            take: &[
                ("basic_pitch/saved_models/icassp_2022/nmp.onnx", "nmp.onnx"),
                ("basic_pitch/saved_models/icassp_2022/nmp.tflite", "nmp.tflite"),
            ],
        }],
        made: &[],
        installed: &[
            ("nmp.onnx", "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec"),
            ("nmp.tflite", "3db297d54af8e01c6e5618245c956b1d71b6a2b978cb2dedb527173186552676"),
        ],
    },
    Package {
        name: "pymicro-wakeword",
        folder: "models/pymicro-wakeword",
        title: "a model of pymicro-wakeword 1.0.0 (Apache 2.0)",
        needs: &[],
        variables: &[],
        artefacts: &[Artefact {
            registry: Registry::PyPi,
            package: "pymicro-wakeword",
            version: "1.0.0",
            sha256: "c4d53f5aa851360ce7f92b5d921a302c0ac58e9c49f46e74fc23b4d10d153839",
            bytes: 144_871,
            take: &[("pymicro_wakeword/models/hey_mycroft.tflite", "hey_mycroft.tflite")],
        }],
        made: &[],
        installed: &[(
            "hey_mycroft.tflite",
            "c2a9b6ed51182db72e014781d5a4ece1929dc232a40b5b4be384f0295f0e1571",
        )],
    },
    Package {
        name: "microflow",
        folder: "models/microflow",
        title: "a model of microflow 0.1.3 (MIT or Apache 2.0)",
        needs: &[],
        variables: &[],
        artefacts: &[Artefact {
            registry: Registry::Crates,
            package: "microflow",
            version: "0.1.3",
            sha256: "bc27eac83de61698f5dcb17066637ec3734afe40f0f5cb69987bfaf6726763ee",
            bytes: 272_000,
            take: &[("models/speech.tflite", "speech.tflite")],
        }],
        made: &[],
        installed: &[("speech.tflite", "09e5e2a9dfb2d8ed78802bf18ce297bff54281a66ca18e0c23d69ca14f822a83")],
    },
];
