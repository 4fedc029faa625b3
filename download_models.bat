@echo off
rem Downloads, verifies or unpacks checkpoints. The arguments are those of download_models.py.
setlocal
set "python=python"
where /q py && set "python=py -3"
%python% "%~dp0launch.py" download_models.py %*
set "code=%errorlevel%"
if not "%code%"=="0" if "%~1"=="" pause
exit /b %code%
