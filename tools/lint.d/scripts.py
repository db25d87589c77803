"""Scripts parse: Python by its compiler, shell by bash -n."""

import subprocess

import tree


def _fault(sources, path):
    content = sources.read(path)
    first = content.split("\n", 1)[0]
    if path.endswith(".py") or (first.startswith("#!") and "python" in first):
        try:
            compile(content, path, "exec")
        except SyntaxError as error:
            return f"{path}:{error.lineno}: {error.msg}"
    elif path.endswith(".sh") or (first.startswith("#!") and "bash" in first):
        run = subprocess.run(["bash", "-n", path], cwd=tree.ROOT, capture_output=True, text=True,
                             check=False)
        if run.returncode != 0:
            return f"{path}:1: {run.stderr.strip()}"
    return None


def check(sources):
    candidates = [path for path in sources.files
                  if path.endswith((".py", ".sh")) or sources.read(path).startswith("#!")]
    return [message for message in (_fault(sources, path) for path in candidates) if message]
