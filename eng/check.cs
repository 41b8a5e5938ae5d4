// What a reviewer runs first: dotnet run eng/check.cs
// Builds with warnings as errors, checks the formatting, runs every test, Tidy among them. It writes build output only.
#:property PublishAot=false
#:property GenerateDocumentationFile=true
#:property RestorePackagesWithLockFile=false

using System.Diagnostics;

(string Name, string[] Arguments)[] steps =
[
    ("restore", ["restore", "--locked-mode", "-v", "quiet"]),
    ("build", ["build", "--no-restore", "-v", "quiet"]),
    ("format", ["format", "whitespace", "--verify-no-changes", "--no-restore"]),
    ("test", ["test", "--no-build", "-maxcpucount:1"]),
];

var root = FindRoot();
var failed = new List<string>();
foreach (var (name, arguments) in steps)
{
    var watch = Stopwatch.StartNew();
    Console.WriteLine($"== {name}: dotnet {string.Join(' ', arguments)}");
    var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = root };
    using var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
    process.WaitForExit();
    var isGood = process.ExitCode == 0;
    Console.WriteLine($"== {name}: {(isGood ? "ok" : "FAILED")}, {watch.Elapsed.TotalSeconds:F0} s");
    if (!isGood)
    {
        failed.Add(name);
        if (name is "restore" or "build")
        {
            break; // Nothing later can say more.
        }
    }
}

Console.WriteLine(failed.Count == 0 ? "Ready to hand in." : $"Not ready: {string.Join(", ", failed)} failed.");
return failed.Count == 0 ? 0 : 1;

static string FindRoot()
{
    for (var folder = new DirectoryInfo(Environment.CurrentDirectory); folder is not null; folder = folder.Parent)
    {
        if (File.Exists(Path.Combine(folder.FullName, "Kvorum.slnx")))
        {
            return folder.FullName;
        }
    }

    throw new InvalidOperationException("Run it inside the repository: no Kvorum.slnx in this folder or above.");
}
