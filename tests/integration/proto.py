"""Protobuf classes made at run time, as no generated code fits every version of the library."""

import subprocess

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def proto_classes(folder, **files):
    """Message classes, by their full names, of .proto files given as name=text."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.proto").write_text(text)
    subprocess.run(["protoc", f"-I{folder}", "--include_imports", f"--descriptor_set_out={folder}/set",
                    *(f"{name}.proto" for name in files)], check=True, cwd=folder, timeout=60)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((folder / "set").read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClassesForFiles([f"{name}.proto" for name in files], pool)
